/* Addresses of servers, and addresses to come from. */
#ifndef BENCH_URL_H
#define BENCH_URL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum url_kind { URL_HTTP, URL_REDIS, URL_REDIS_UNIX };

struct url {
    enum url_kind kind;
    char host[256];  /* with the port, as the Host header has it; of URL_REDIS_UNIX the path of the socket */
    char path[1024]; /* with the query, at least "/" */
    char user[128], password[128];
    unsigned database;
    struct sockaddr_storage address;
    socklen_t address_len;
};

/* Reads the URL and resolves its host. On failure false, and why in `problem`, without what is secret. */
bool url_parse(struct url *url, const char *text, char *problem, size_t problem_size);

/* `127.0.0.2,127.0.0.5-127.0.0.9`: answers how many, and writes the first `capacity` of them; 0: not such a
 * list. */
size_t sources_parse(const char *text, struct in_addr *out, size_t capacity);

#endif
