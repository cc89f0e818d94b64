#include "fetch/servers.h"
#include <stdlib.h>
#include <string.h>

/* Scheme, host and port: all before the path. */
static size_t origin_len(const char *url)
{
    const char *host = strstr(url, "://");
    host = host == NULL ? url : host + 3;
    return (size_t)(host - url) + strcspn(host, "/?#");
}

static struct server_health *find(const struct servers *servers, const char *url)
{
    size_t len = origin_len(url);
    for (struct server_health *at = servers->first; at != NULL; at = at->next) {
        if (strlen(at->origin) == len && memcmp(at->origin, url, len) == 0)
            return at;
    }
    return NULL;
}

static struct server_health *add(struct servers *servers, const char *url)
{
    size_t len = origin_len(url);
    struct server_health *health = calloc(1, sizeof(*health) + len + 1);
    if (health == NULL)
        return NULL;
    memcpy(health->origin, url, len);
    health->next = servers->first;
    servers->first = health;
    return health;
}

void servers_deinit(struct servers *servers)
{
    while (servers->first != NULL) {
        struct server_health *health = servers->first;
        servers->first = health->next;
        free(health);
    }
}

int servers_choose(struct servers *servers, const char *const *urls, size_t count, uint32_t tried,
                   int64_t now_ms)
{
    int chosen = -1;
    int64_t best = INT64_MAX;
    size_t turn = servers->turn++;
    for (size_t i = 0; i < count; i++) {
        size_t place = (turn + i) % count;
        if (tried & 1u << place)
            continue;
        const struct server_health *health = find(servers, urls[place]);
        int64_t until = health == NULL || health->rests_until_ms <= now_ms ? 0 : health->rests_until_ms;
        if (until < best) {
            best = until;
            chosen = (int)place;
        }
    }
    return chosen;
}

void servers_note(struct servers *servers, const char *url, bool failed, int64_t now_ms)
{
    struct server_health *health = find(servers, url);
    if (health == NULL && failed)
        health = add(servers, url);
    if (health == NULL)
        return;
    if (!failed) {
        health->rest_ms = 0;
        health->rests_until_ms = 0;
        return;
    }
    if (health->rests_until_ms > now_ms)
        return; /* of many that fail together, one counts */
    health->rest_ms = health->rest_ms == 0 ? SERVERS_MIN_REST_MS : health->rest_ms * 2;
    if (health->rest_ms > SERVERS_MAX_REST_MS)
        health->rest_ms = SERVERS_MAX_REST_MS;
    health->rests_until_ms = now_ms + health->rest_ms;
}
