/* Which servers answer: a server is known by the origin of its URLs, so whatever asks it shares what is
 * known. Without clock and network. */
#ifndef BRIDGE_FETCH_SERVERS_H
#define BRIDGE_FETCH_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERVERS_MIN_REST_MS = 1000, SERVERS_MAX_REST_MS = 30000 };

/* One origin, such as `http://127.0.0.1:3000`. */
struct server_health {
    struct server_health *next;
    int64_t rests_until_ms;
    uint32_t rest_ms; /* the last rest; 0: the last request went well */
    char origin[];
};

/* Zero is empty. Of one thread. */
struct servers {
    struct server_health *first;
    size_t turn; /* who is asked first next time */
};

void servers_deinit(struct servers *servers);

/* Which of the URLs to ask now, of those that `tried` has no bit for; -1: all have been tried. */
int servers_choose(struct servers *servers, const char *const *urls, size_t count, uint32_t tried,
                   int64_t now_ms);

/* What came of it. Without memory for a server that is new nothing is remembered of it. */
void servers_note(struct servers *servers, const char *url, bool failed, int64_t now_ms);

#endif
