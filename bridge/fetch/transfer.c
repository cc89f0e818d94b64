#include "fetch/transfer.h"
#include <freshet/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *fetch_outcome_code(enum fetch_outcome outcome)
{
    static const char *const codes[] = {
        [FETCH_TIMEOUT] = "timeout",    [FETCH_UNREACHABLE] = "backend-down", [FETCH_TOO_LARGE] = "too-large",
        [FETCH_UNWANTED] = "cancelled", [FETCH_CLOSED] = "going-away",        [FETCH_NO_MEMORY] = "no-memory",
    };
    return codes[outcome];
}

bool fetch_answer_header(const struct fetch_answer *answer, const char *name, struct freshet_span *value)
{
    const struct transfer *transfer = answer->internal;
    struct curl_header *header;
    if (answer->outcome != FETCH_ANSWERED ||
        curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return false;
    *value = freshet_span_text(header->value);
    return true;
}

/* ---- what libcurl calls ---- */

static bool make_room(struct transfer *transfer, size_t more)
{
    size_t room = transfer->body_room == 0 ? 4096 : transfer->body_room;
    while (room < transfer->body_len + more)
        room *= 2;
    if (room == transfer->body_room)
        return true;
    char *body = realloc(transfer->body, room);
    if (body == NULL)
        return false;
    transfer->body = body;
    transfer->body_room = room;
    return true;
}

/* Anything but the whole length ends the transfer. */
static size_t take_bytes(char *bytes, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    size_t len = size * count;
    if (len > transfer->max_body_bytes - transfer->body_len)
        transfer->stopped = FETCH_TOO_LARGE;
    else if (!make_room(transfer, len))
        transfer->stopped = FETCH_NO_MEMORY;
    if (transfer->stopped != FETCH_ANSWERED)
        return 0;
    memcpy(transfer->body + transfer->body_len, bytes, len);
    transfer->body_len += len;
    return len;
}

static int look_whether_wanted(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                               curl_off_t up)
{
    struct transfer *transfer = user;
    (void)down_total, (void)down, (void)up_total, (void)up;
    if (transfer->wanted == NULL || transfer->wanted(transfer->user))
        return 0;
    transfer->stopped = FETCH_UNWANTED;
    return 1;
}

/* ---- making one ---- */

static bool copy_texts(struct transfer *transfer, const struct fetch_request *request)
{
    for (; request->urls[transfer->url_count] != NULL; transfer->url_count++) {
        char *url = transfer->urls[transfer->url_count] = strdup(request->urls[transfer->url_count]);
        if (url == NULL)
            return false;
    }
    for (const char *const *line = request->headers; line != NULL && *line != NULL; line++) {
        struct curl_slist *longer = curl_slist_append(transfer->headers, *line);
        if (longer == NULL)
            return false;
        transfer->headers = longer;
    }
    return true;
}

static bool make_easy(struct transfer *transfer, const char *ca_file)
{
    char agent[64];
    CURL *easy = transfer->easy = curl_easy_init();
    snprintf(agent, sizeof(agent), "freshet-bridge/%s", freshet_version());
    if (easy != NULL && ca_file != NULL && curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) != CURLE_OK)
        return false;
    return easy != NULL && curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, agent) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, look_whether_wanted) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer) == CURLE_OK;
}

struct transfer *transfer_new(const struct fetch_request *request, const char *ca_file, fetch_done_cb done,
                              void *user, int64_t now_ms)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    if (transfer == NULL)
        return NULL;
    transfer->done = done;
    transfer->user = user;
    transfer->wanted = request->wanted;
    transfer->deadline_ms =
        now_ms + (request->timeout_ms == 0 ? FETCH_DEFAULT_TIMEOUT_MS : request->timeout_ms);
    transfer->max_body_bytes =
        request->max_body_bytes == 0 ? FETCH_DEFAULT_BODY_BYTES : request->max_body_bytes;
    if (copy_texts(transfer, request) && make_easy(transfer, ca_file))
        return transfer;
    transfer_destroy(transfer);
    return NULL;
}

void transfer_destroy(struct transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    for (size_t i = 0; i < transfer->url_count; i++)
        free(transfer->urls[i]);
    free(transfer->body);
    free(transfer);
}

/* ---- a try ---- */

/* Connecting may take its part of the time only, so that a server that is silent leaves some for the next. */
bool transfer_aim(struct transfer *transfer, int64_t now_ms)
{
    int64_t left_ms = transfer->deadline_ms - now_ms;
    size_t untried = transfer->url_count - (size_t)__builtin_popcount(transfer->tried);
    if (left_ms <= 0)
        return false;
    transfer->tried |= 1u << transfer->current;
    transfer->body_len = 0;
    transfer->acknowledges = false;
    transfer->stopped = FETCH_ANSWERED;
    int64_t connect_ms = left_ms / (int64_t)untried;
    return curl_easy_setopt(transfer->easy, CURLOPT_URL, transfer->urls[transfer->current]) == CURLE_OK &&
           curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)left_ms) == CURLE_OK &&
           curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long)(connect_ms > 0 ? connect_ms : 1)) == CURLE_OK;
}

enum fetch_outcome transfer_outcome(const struct transfer *transfer, CURLcode result)
{
    if (result == CURLE_OK)
        return FETCH_ANSWERED;
    if (transfer->stopped != FETCH_ANSWERED)
        return transfer->stopped;
    if (result == CURLE_OPERATION_TIMEDOUT)
        return FETCH_TIMEOUT;
    return result == CURLE_OUT_OF_MEMORY ? FETCH_NO_MEMORY : FETCH_UNREACHABLE;
}

void transfer_finish(struct transfer *transfer, enum fetch_outcome outcome)
{
    struct fetch_answer answer = {.outcome = outcome,
                                  .detail = outcome == FETCH_ANSWERED ? NULL : transfer->detail,
                                  .internal = transfer};
    long status = 0;
    if (outcome == FETCH_ANSWERED) {
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        answer.status = (int)status;
        answer.body = freshet_span(transfer->body, transfer->body_len);
    }
    transfer->done(&answer, transfer->user);
}
