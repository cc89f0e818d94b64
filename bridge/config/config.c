#include "config/config.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE_BYTES = 1 << 20 };

/* ---- what the command line says, too ---- */

/* Where the keys of a setting are read to. */
struct target {
    struct config *config;
    struct options *options;
};

/* A list is what the command line parts by commas. */
static const char *join(struct arena *arena, const char **texts)
{
    size_t len = 0;
    for (size_t i = 0; texts[i] != NULL; i++)
        len += strlen(texts[i]) + 1;
    char *all = arena_alloc(arena, len + 1);
    for (size_t i = 0; texts[i] != NULL; i++) {
        if (i > 0)
            strcat(all, ",");
        strcat(all, texts[i]);
    }
    return all;
}

static bool read_setting(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    const struct setting *setting = key->more;
    const struct target *target = place;
    const char **texts;
    unsigned before = reading->problems;
    if (!read_texts(reading, node, &texts, key) || reading->problems != before)
        return false;
    return setting->set(target->options, join(reading->arena, texts));
}

/* Not the file's name itself, and nothing that is said on the command line only. */
static bool is_for_files(const struct setting *setting)
{
    return setting->variable != NULL && strcmp(setting->name, "config") != 0;
}

/* --max-streams is max_streams here. */
static const char *key_name(struct arena *arena, const char *option)
{
    char *name = arena_text(arena, option, strlen(option));
    for (char *at = name; *at != '\0'; at++)
        *at = *at == '-' ? '_' : *at;
    return name;
}

/* ---- the file's own matters ---- */

static bool read_demo(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    return read_flag(reading, node, &((struct target *)place)->config->demo, key);
}

static bool read_loaders(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    return config_read_loaders(reading, node, ((struct target *)place)->config, key);
}

static bool read_guards(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    return config_read_guards(reading, node, &((struct target *)place)->config->guards, key);
}

static bool read_publish(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    return config_read_publish(reading, node, &((struct target *)place)->config->publish, key);
}

static bool read_admin(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    return config_read_admin(reading, node, &((struct target *)place)->config->admin, key);
}

/* ---- options of the library ---- */

#define LIBRARY_AT(field) offsetof(struct library_options, field)

/* Into a struct library_options. */
static const struct key library_keys[] = {
    {"guard_interval", read_time, LIBRARY_AT(guard_interval_ms), RIGHT_TIME, NULL, false},
    {"linger", read_time, LIBRARY_AT(linger_ms), RIGHT_TIME, NULL, false},
    {"poll_while_down", read_time, LIBRARY_AT(poll_while_down_ms), RIGHT_TIME, NULL, false},
    {"pool_threads", read_number, LIBRARY_AT(pool_threads), RIGHT_NUMBER, NULL, false},
    {"heartbeat", read_time, LIBRARY_AT(heartbeat_ms), RIGHT_TIME, NULL, false},
    {"max_age", read_time, LIBRARY_AT(max_age_ms), RIGHT_TIME, NULL, false},
    {"write_timeout", read_time, LIBRARY_AT(write_timeout_ms), RIGHT_TIME, NULL, false},
    {"max_snapshot_bytes", read_bytes, LIBRARY_AT(max_snapshot_bytes), RIGHT_BYTES, NULL, false},
    {"max_message_bytes", read_bytes, LIBRARY_AT(max_message_bytes), RIGHT_BYTES, NULL, false},
};
enum { LIBRARY_KEYS = sizeof(library_keys) / sizeof(library_keys[0]) };

static bool read_library(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    const struct key *inner = key->more;
    struct target *target = place;
    return inner->read(reading, node, (char *)&target->options->library + inner->offset, inner);
}

/* ---- all of them ---- */

static const struct key own_keys[] = {
    {"demo", read_demo, 0, RIGHT_FLAG, NULL, false},
    {"loaders", read_loaders, 0, "a list of loaders, each with route and load", NULL, false},
    {"guards", read_guards, 0, "a map of guards by name, each with one of ask, jwt and signed", NULL, false},
    {"publish", read_publish, 0, "a map with token, and path if it is not /publish", NULL, false},
    {"admin", read_admin, 0, "a map with token", NULL, false},
};
enum { OWN_KEYS = sizeof(own_keys) / sizeof(own_keys[0]) };

static void read_root(struct reading *reading, struct target *target)
{
    struct key keys[ARGUMENTS_MAX_SETTINGS + LIBRARY_KEYS + OWN_KEYS];
    size_t setting_count, count = 0;
    const struct setting *all = options_settings(&setting_count);
    for (size_t i = 0; i < setting_count; i++) {
        if (is_for_files(&all[i]))
            keys[count++] = (struct key){
                key_name(reading->arena, all[i].name), read_setting, 0, all[i].right, &all[i], false};
    }
    for (size_t i = 0; i < LIBRARY_KEYS; i++)
        keys[count++] = (struct key){library_keys[i].name,  read_library,     0,
                                     library_keys[i].right, &library_keys[i], false};
    memcpy(keys + count, own_keys, sizeof(own_keys));
    if (!reading_map(reading, target->config->root, keys, count + OWN_KEYS, target))
        reading_complain(reading, target->config->root,
                         "wrong; right is a map that begins with listen: or loaders:");
}

/* ---- life ---- */

void *config_array(struct reading *reading, const struct node *node, size_t size)
{
    return arena_alloc(reading->arena, (node->count + 1) * size);
}

/* NULL: it is told. */
static const char *read_file(struct reading *reading, size_t *len)
{
    FILE *file = fopen(reading->file, "re");
    char *bytes = file == NULL ? NULL : arena_alloc(reading->arena, MAX_FILE_BYTES + 1);
    *len = bytes == NULL ? 0 : fread(bytes, 1, MAX_FILE_BYTES + 1, file);
    bool good = bytes != NULL && !ferror(file) && *len <= MAX_FILE_BYTES;
    if (file != NULL)
        fclose(file);
    if (!good)
        reading_complain(reading, NULL, "the file can't be read, or is over 1 MiB");
    return good ? bytes : NULL;
}

static void read_config(struct config *config, struct options *options)
{
    struct target target = {config, options};
    struct reading *reading = &config->reading;
    struct node_error error;
    size_t len;
    const char *bytes = read_file(reading, &len);
    if (bytes == NULL)
        return;
    config->root = node_parse(&config->arena, bytes, len, &error);
    if (config->root != NULL)
        read_root(reading, &target);
    else
        reading_complain(reading, &(struct node){.line = error.line}, "%s", error.text);
}

struct config *config_new(const char *file, struct options *options, options_env env, FILE *err)
{
    struct config *config = calloc(1, sizeof(*config));
    if (config == NULL) {
        fputs("freshet-bridge: no memory for the configuration\n", err);
        return NULL;
    }
    atomic_init(&config->references, 1);
    config->reading = (struct reading){.file = arena_text(&config->arena, file, strlen(file)),
                                       .err = err,
                                       .arena = &config->arena,
                                       .env = env};
    read_config(config, options);
    if (config->reading.problems == 0)
        return config;
    config_release(config);
    return NULL;
}

struct config *config_acquire(struct config *config)
{
    atomic_fetch_add(&config->references, 1);
    return config;
}

void config_release(struct config *config)
{
    if (config == NULL || atomic_fetch_sub(&config->references, 1) != 1)
        return;
    arena_free(&config->arena);
    free(config);
}
