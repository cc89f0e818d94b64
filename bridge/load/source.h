/* Where the state of one loader comes from, as a file says it now: made ready for filling in. */
#ifndef BRIDGE_LOAD_SOURCE_H
#define BRIDGE_LOAD_SOURCE_H

#include "config/config.h"
#include "load/reply.h"
#include "load/template.h"

enum { SOURCE_MAX_TEXTS = 64, SOURCE_DEFAULT_TIMEOUT_MS = 5000 };

/* Lives in its config, read-only. */
struct source {
    struct config *config;
    const struct config_loader *loader;
    enum config_source kind;
    const struct template **templates; /* URLs, words of a command, or one path */
    size_t count;
    enum reply_shape shape; /* of a command */
    bool of_client;         /* something of a single client is in it: a header, or what a guard found out */
    uint32_t timeout_ms;
};

/* NULL: what is wrong has been told in the config's way. `config->reading.way` leads to the loader. */
const struct source *source_new(struct config *config, const struct config_loader *loader);

/* Whether all streams of one topic and parameters have one load. */
bool source_is_shared(const struct source *source);

/* The next parameter's name at or behind *at, which moves on; its length, 0 at the end. */
size_t source_next_param(const char **at, const char **name);

#endif
