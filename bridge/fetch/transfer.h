/* One request: its copy of what was asked for, and what libcurl makes of it. */
#ifndef BRIDGE_FETCH_TRANSFER_H
#define BRIDGE_FETCH_TRANSFER_H

#include "fetch/fetch.h"
#include <curl/curl.h>

/* Made by any thread, then only the fetcher's touches it. */
struct transfer {
    struct transfer *next, *previous; /* among those that wait, then among those that are out */
    CURL *easy;
    struct curl_slist *headers;
    char *urls[FETCH_MAX_URLS + 1];
    size_t url_count;
    uint32_t tried;    /* a bit for each URL */
    int current;       /* the URL that is asked now */
    bool acknowledges; /* this try's connection does so at once */
    int64_t deadline_ms;
    char *body;
    size_t body_len, body_room, max_body_bytes;
    fetch_wanted_cb wanted;
    fetch_done_cb done;
    void *user;
    const char *detail;         /* what libcurl says of the last try that failed */
    enum fetch_outcome stopped; /* why our own callbacks ended it; FETCH_ANSWERED: they did not */
};

/* NULL: no memory. */
struct transfer *transfer_new(const struct fetch_request *request, const char *ca_file, fetch_done_cb done,
                              void *user, int64_t now_ms);
void transfer_destroy(struct transfer *transfer);

/* Prepares the next try, of urls[current]. False: no time is left. */
bool transfer_aim(struct transfer *transfer, int64_t now_ms);
/* What libcurl's result means. */
enum fetch_outcome transfer_outcome(const struct transfer *transfer, CURLcode result);
/* Tells the caller. */
void transfer_finish(struct transfer *transfer, enum fetch_outcome outcome);

#endif
