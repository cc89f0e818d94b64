/* Where the keys of tokens are: secrets of the configuration, a file, or a URL, whose keys change. They are
 * read again at intervals, when somebody asks for them, and when a token comes whose key is not known; the
 * latter not more often than a few times in a row, then once in ten seconds, so that strangers' tokens can't
 * have the URL asked without end. What was good stays good while the URL does not answer. */
#ifndef BRIDGE_GUARD_KEY_SOURCE_H
#define BRIDGE_GUARD_KEY_SOURCE_H

#include "common/log.h"
#include "fetch/fetch.h"
#include "guard/jwk.h"

struct key_source;

struct key_source_options {
    const char *where;          /* http://, https:// or a path; must outlive the source, as all texts */
    const char *const *secrets; /* instead; the last NULL */
    uint32_t refresh_ms;        /* 0: KEY_SOURCE_DEFAULT_REFRESH_MS */
    struct fetcher *fetcher;    /* for URLs; NULL: nothing is fetched, to look at a configuration */
    const struct freshet_log *log;
};

enum { KEY_SOURCE_DEFAULT_REFRESH_MS = 300000, KEY_SOURCE_BURST = 4, KEY_SOURCE_GAP_MS = 10000 };

/* A file is read at once: FRESHET_INVALID says what is wrong with it. A URL is asked at once, and what comes
 * is told to the log. FRESHET_NO_MEMORY. */
enum freshet_status key_source_new(struct key_source **out, const struct key_source_options *options,
                                   struct freshet_error *error);
/* After the fetcher. NULL is fine. */
void key_source_destroy(struct key_source *source);

/* To be released; NULL: there are none yet. Any thread, as below. */
struct jwk_set *key_source_get(struct key_source *source);

/* Somebody who waits for newer keys. */
struct key_wait {
    struct key_wait *next;
    void (*done)(struct key_wait *wait); /* once, within the call or on the fetcher's thread */
};

/* `done` runs when keys have been looked for, whatever came of it. False: it will not, since they can't be
 * looked for now. */
bool key_source_wait(struct key_source *source, struct key_wait *wait);

#endif
