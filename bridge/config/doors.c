#include "config/doors.h"
#include <ctype.h>
#include <string.h>

#define RIGHT_TOKEN "16 or more visible ASCII characters, such as { env: NAME }"

static bool read_token(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    const char **token = place;
    unsigned before = reading->problems;
    if (!read_text(reading, node, place, key) || reading->problems != before)
        return false;
    for (const char *at = *token; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~')
            return false;
    }
    return strlen(*token) >= CONFIG_MIN_TOKEN_BYTES;
}

/* Nothing that a route's pattern or a URL would take for something else, and not where streams are. */
static bool read_path(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    const char **path = place;
    if (!read_text(reading, node, place, key) || (*path)[0] != '/' || (*path)[1] == '\0')
        return false;
    ++*path;
    for (const char *at = *path; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("-_/", *at) == NULL)
            return false;
    }
    bool is_live = strncmp(*path, "live", 4) == 0 && ((*path)[4] == '\0' || (*path)[4] == '/');
    return !is_live && strlen(*path) <= 200 && strstr(*path, "//") == NULL && (*path)[0] != '/';
}

static const struct key publish_keys[] = {
    {"path", read_path, offsetof(struct config_publish, path), "a path such as /publish, not below /live",
     NULL, false},
    {"token", read_token, offsetof(struct config_publish, token), RIGHT_TOKEN, NULL, true},
};

bool config_read_publish(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    struct config_publish *publish = place;
    (void)key;
    publish->path = "publish";
    return reading_map(reading, node, publish_keys, sizeof(publish_keys) / sizeof(publish_keys[0]), publish);
}

static const struct key admin_keys[] = {
    {"token", read_token, offsetof(struct config_admin, token), RIGHT_TOKEN, NULL, true},
};

bool config_read_admin(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    (void)key;
    return reading_map(reading, node, admin_keys, 1, place);
}
