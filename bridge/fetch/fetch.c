#include "fetch/fetch.h"
#include "fetch/servers.h"
#include "fetch/transfer.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_OUT = 10000, CONNECTIONS_PER_SERVER = 64, MAX_SOCKETS = 256, LOOK_MS = 1000 };

struct fetcher {
    pthread_t thread;
    const char *ca_file; /* NULL: the system's */
    CURLM *multi;
    struct servers servers;   /* the thread's */
    struct transfer *out;     /* the thread's: those that libcurl has */
    int sockets[MAX_SOCKETS]; /* the thread's: connections to servers */
    size_t socket_count;
    pthread_mutex_t lock;
    /* Under the lock. */
    struct transfer *waiting, **waiting_end;
    size_t count; /* waiting or out */
    bool ending;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the thread ---- */

static void keep(struct fetcher *fetcher, struct transfer *transfer)
{
    transfer->previous = NULL;
    transfer->next = fetcher->out;
    if (fetcher->out != NULL)
        fetcher->out->previous = transfer;
    fetcher->out = transfer;
}

static void let_go(struct fetcher *fetcher, struct transfer *transfer)
{
    if (transfer->previous != NULL)
        transfer->previous->next = transfer->next;
    else
        fetcher->out = transfer->next;
    if (transfer->next != NULL)
        transfer->next->previous = transfer->previous;
}

static void finish(struct fetcher *fetcher, struct transfer *transfer, enum fetch_outcome outcome)
{
    transfer_finish(transfer, outcome);
    transfer_destroy(transfer);
    pthread_mutex_lock(&fetcher->lock);
    fetcher->count--;
    pthread_mutex_unlock(&fetcher->lock);
}

/* Asks the next server; if there is none, or no time, it ends with what the last one led to. */
static void try_next(struct fetcher *fetcher, struct transfer *transfer, enum fetch_outcome last)
{
    int64_t now = now_ms();
    transfer->current = servers_choose(&fetcher->servers, (const char *const *)transfer->urls,
                                       transfer->url_count, transfer->tried, now);
    if (transfer->current < 0 || !transfer_aim(transfer, now)) {
        finish(fetcher, transfer, last);
        return;
    }
    if (curl_multi_add_handle(fetcher->multi, transfer->easy) == CURLM_OK)
        keep(fetcher, transfer);
    else
        finish(fetcher, transfer, FETCH_NO_MEMORY);
}

/* Whether another server may do better. */
static bool has_server_failed(const struct transfer *transfer, enum fetch_outcome outcome)
{
    long status = 0;
    if (outcome == FETCH_TIMEOUT || outcome == FETCH_UNREACHABLE)
        return true;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return outcome == FETCH_ANSWERED && status >= 502 && status <= 504;
}

static void end_try(struct fetcher *fetcher, CURL *easy, CURLcode result)
{
    char *private;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct transfer *transfer = (struct transfer *)private;
    enum fetch_outcome outcome = transfer_outcome(transfer, result);
    bool failed = has_server_failed(transfer, outcome);
    transfer->detail =
        outcome == FETCH_ANSWERED ? "the server answers 502, 503 or 504" : curl_easy_strerror(result);
    curl_multi_remove_handle(fetcher->multi, easy);
    let_go(fetcher, transfer);
    if (failed || outcome == FETCH_ANSWERED)
        servers_note(&fetcher->servers, transfer->urls[transfer->current], failed, now_ms());
    if (failed && __builtin_popcount(transfer->tried) < (int)transfer->url_count)
        try_next(fetcher, transfer, outcome == FETCH_ANSWERED ? FETCH_UNREACHABLE : outcome);
    else
        finish(fetcher, transfer, outcome);
}

static void take_results(struct fetcher *fetcher)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE)
            end_try(fetcher, message->easy_handle, message->data.result);
    }
}

/* A server that sends head and body in two pieces, without TCP_NODELAY, waits between them until the first is
 * acknowledged, which the kernel puts off by 40 ms where a connection has been in use. So it is asked not to,
 * once a request has left: sending takes the wish back. libcurl does not tell whose connection is which. */
static void acknowledge_at_once(struct fetcher *fetcher)
{
    bool wanted = false;
    for (struct transfer *transfer = fetcher->out; transfer != NULL; transfer = transfer->next) {
        long sent = 0;
        if (transfer->acknowledges ||
            curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent) != CURLE_OK || sent == 0)
            continue;
        transfer->acknowledges = true;
        wanted = true;
    }
    for (size_t i = 0; wanted && i < fetcher->socket_count; i++)
        setsockopt(fetcher->sockets[i], IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
}

/* A connection that finds no place is served all the same, and acknowledges as the kernel likes. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetcher *fetcher = user;
    (void)purpose;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0 && fetcher->socket_count < MAX_SOCKETS)
        fetcher->sockets[fetcher->socket_count++] = fd;
    return fd;
}

static int close_socket(void *user, curl_socket_t fd)
{
    struct fetcher *fetcher = user;
    for (size_t i = 0; i < fetcher->socket_count; i++) {
        if (fetcher->sockets[i] == fd) {
            fetcher->sockets[i] = fetcher->sockets[--fetcher->socket_count];
            break;
        }
    }
    return close(fd);
}

static bool watch_sockets(struct fetcher *fetcher, CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetcher) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, fetcher) == CURLE_OK;
}

/* Those that wait, taken out; NULL at the end. */
static struct transfer *take_waiting(struct fetcher *fetcher, bool *ending)
{
    pthread_mutex_lock(&fetcher->lock);
    struct transfer *list = fetcher->waiting;
    fetcher->waiting = NULL;
    fetcher->waiting_end = &fetcher->waiting;
    *ending = fetcher->ending;
    pthread_mutex_unlock(&fetcher->lock);
    return list;
}

static void close_all(struct fetcher *fetcher, struct transfer *waiting)
{
    while (fetcher->out != NULL) {
        struct transfer *transfer = fetcher->out;
        let_go(fetcher, transfer);
        curl_multi_remove_handle(fetcher->multi, transfer->easy);
        finish(fetcher, transfer, FETCH_CLOSED);
    }
    while (waiting != NULL) {
        struct transfer *transfer = waiting;
        waiting = transfer->next;
        finish(fetcher, transfer, FETCH_CLOSED);
    }
}

static void *run(void *user)
{
    struct fetcher *fetcher = user;
    bool ending;
    for (;;) {
        struct transfer *next, *waiting = take_waiting(fetcher, &ending);
        if (ending) {
            close_all(fetcher, waiting);
            return NULL;
        }
        for (; waiting != NULL; waiting = next) {
            next = waiting->next;
            try_next(fetcher, waiting, FETCH_TIMEOUT);
        }
        int running;
        curl_multi_perform(fetcher->multi, &running);
        take_results(fetcher);
        acknowledge_at_once(fetcher);
        curl_multi_poll(fetcher->multi, NULL, 0, LOOK_MS, NULL);
    }
}

/* ---- from any thread ---- */

static size_t count_urls(const char *const *urls)
{
    size_t count = 0;
    while (urls != NULL && count <= FETCH_MAX_URLS && urls[count] != NULL)
        count++;
    return count;
}

static enum freshet_status put(struct fetcher *fetcher, struct transfer *transfer)
{
    enum freshet_status status = FRESHET_OK;
    pthread_mutex_lock(&fetcher->lock);
    if (fetcher->ending)
        status = FRESHET_CLOSED;
    else if (fetcher->count >= MAX_OUT)
        status = FRESHET_FULL;
    if (status == FRESHET_OK) {
        fetcher->count++;
        *fetcher->waiting_end = transfer;
        fetcher->waiting_end = &transfer->next;
    }
    pthread_mutex_unlock(&fetcher->lock);
    return status;
}

enum freshet_status fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                                fetch_done_cb done, void *user)
{
    size_t count = count_urls(request->urls);
    if (count == 0 || count > FETCH_MAX_URLS)
        return FRESHET_INVALID;
    struct transfer *transfer = transfer_new(request, fetcher->ca_file, done, user, now_ms());
    if (transfer == NULL)
        return FRESHET_NO_MEMORY;
    if (!watch_sockets(fetcher, transfer->easy)) {
        transfer_destroy(transfer);
        return FRESHET_NO_MEMORY;
    }
    enum freshet_status status = put(fetcher, transfer);
    if (status != FRESHET_OK)
        transfer_destroy(transfer);
    else
        curl_multi_wakeup(fetcher->multi);
    return status;
}

/* ---- life ---- */

static bool set_up(struct fetcher *fetcher)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return false;
    fetcher->multi = curl_multi_init();
    return fetcher->multi != NULL &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_PER_SERVER) ==
               CURLM_OK &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == CURLM_OK;
}

static void clean_up(struct fetcher *fetcher)
{
    if (fetcher->multi != NULL)
        curl_multi_cleanup(fetcher->multi);
    servers_deinit(&fetcher->servers);
    pthread_mutex_destroy(&fetcher->lock);
    free(fetcher);
    curl_global_cleanup();
}

enum freshet_status fetcher_new(struct fetcher **out, const char *ca_file, struct freshet_error *error)
{
    struct fetcher *fetcher = calloc(1, sizeof(*fetcher));
    *out = NULL;
    if (ca_file != NULL && access(ca_file, R_OK) != 0) {
        free(fetcher);
        snprintf(error->text, sizeof(error->text), "--backend-ca (backend_ca): %s", strerror(errno));
        return FRESHET_INVALID;
    }
    if (fetcher == NULL) {
        strcpy(error->text, "no memory for requests to backends");
        return FRESHET_NO_MEMORY;
    }
    pthread_mutex_init(&fetcher->lock, NULL);
    fetcher->waiting_end = &fetcher->waiting;
    fetcher->ca_file = ca_file;
    if (set_up(fetcher) && pthread_create(&fetcher->thread, NULL, run, fetcher) == 0) {
        *out = fetcher;
        return FRESHET_OK;
    }
    clean_up(fetcher);
    strcpy(error->text, "requests to backends: libcurl or its thread can't be started");
    return FRESHET_SYSTEM;
}

void fetcher_destroy(struct fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    pthread_mutex_lock(&fetcher->lock);
    fetcher->ending = true;
    pthread_mutex_unlock(&fetcher->lock);
    curl_multi_wakeup(fetcher->multi);
    pthread_join(fetcher->thread, NULL);
    clean_up(fetcher);
}
