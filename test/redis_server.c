#include "redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_S 30

void redis_server_nap(void)
{
    struct timespec nap = {.tv_nsec = 10 * 1000 * 1000};
    nanosleep(&nap, NULL);
}

static void give_up(const char *what)
{
    fprintf(stderr, "redis_server: %s\n", what);
    abort();
}

static bool is_free(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool is_bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return is_bound;
}

/* Who was given one may not listen there yet. */
static bool is_given(uint16_t port)
{
    static uint16_t given[64]; /* the newest */
    static size_t count;
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
        if (given[i] == port)
            return true;
    given[count++ % (sizeof(given) / sizeof(given[0]))] = port;
    return false;
}

/* Below the kernel's range for clients, so that no outgoing connection takes it before the server does. */
int redis_server_free_port(void)
{
    uint16_t port;
    for (int i = 0; i < 1000; i++) {
        if (getrandom(&port, sizeof(port), 0) != sizeof(port))
            break;
        port = (uint16_t)(12000 + port % 20000);
        if (is_free(port) && !is_given(port))
            return port;
    }
    give_up("no free port");
    return 0;
}

void redis_server_prepare(struct redis_server *server)
{
    *server =
        (struct redis_server){.port = redis_server_free_port(), .directory = "/tmp/freshet-redis-XXXXXX"};
    if (mkdtemp(server->directory) == NULL)
        give_up("no temporary directory");
    snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->directory);
    snprintf(server->url, sizeof(server->url), "redis://127.0.0.1:%d", server->port);
}

static void run_child(const struct redis_server *server, pid_t parent, const char *const *arguments)
{
    char port[16], tls_port[16], cert[128], key[128], ca[128];
    const char *argv[64] = {"redis-server"};
    const char *basics[] = {
        "--port", port,    "--bind",          "127.0.0.1",    "--save",       "",          "--appendonly",
        "no",     "--dir", server->directory, "--unixsocket", server->socket, "--logfile", "redis.log"};
    int count = 1;
    if (server->config[0] != '\0')
        argv[count++] = server->config;
    for (int i = 0; i < 14; i++)
        argv[count++] = basics[i];
    snprintf(port, sizeof(port), "%d", server->port);
    snprintf(tls_port, sizeof(tls_port), "%d", server->tls_port);
    snprintf(cert, sizeof(cert), "%s/cert.pem", server->certificates);
    snprintf(key, sizeof(key), "%s/key.pem", server->certificates);
    snprintf(ca, sizeof(ca), "%s/ca.pem", server->certificates);
    const char *tls[] = {"--tls-port",         tls_port, "--tls-cert-file",    cert, "--tls-key-file", key,
                         "--tls-ca-cert-file", ca,       "--tls-auth-clients", "no"};
    for (int i = 0; server->tls_port != 0 && i < 10; i++)
        argv[count++] = tls[i];
    for (; arguments != NULL && *arguments != NULL && count < 63; arguments++)
        argv[count++] = *arguments;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp("redis-server", (char *const *)argv);
    _exit(127);
}

static bool answers(const struct redis_server *server)
{
    char answer[64];
    return redis_server_ask(server, answer, sizeof(answer), "PING", NULL);
}

bool redis_server_try_run(struct redis_server *server, const char *const *arguments)
{
    pid_t parent = getpid();
    server->pid = fork();
    if (server->pid == 0)
        run_child(server, parent, arguments);
    if (server->pid < 0)
        give_up("cannot fork");
    for (int i = 0; i < READY_S * 100; i++) {
        if (waitpid(server->pid, NULL, WNOHANG) != 0) {
            server->pid = 0;
            return false;
        }
        if (answers(server))
            return true;
        redis_server_nap();
    }
    give_up("redis-server does not answer");
    return false;
}

void redis_server_run(struct redis_server *server, const char *const *arguments)
{
    if (!redis_server_try_run(server, arguments))
        give_up("redis-server ended at once");
}

void redis_server_start(struct redis_server *server, const char *const *arguments)
{
    redis_server_prepare(server);
    redis_server_run(server, arguments);
}

static const char make_certificates[] =
    "cd '%s' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
    "/CN=ca"
    " -keyout cakey.pem -out ca.pem >openssl.log 2>&1 &&"
    " openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=redis -keyout key.pem"
    " -out request.pem >>openssl.log 2>&1 &&"
    " printf 'subjectAltName=DNS:localhost,DNS:redis.test,IP:127.0.0.1' >names.txt &&"
    " openssl x509 -req -in request.pem -CA ca.pem -CAkey cakey.pem -CAcreateserial -days 2"
    " -extfile names.txt -out cert.pem >>openssl.log 2>&1";

void redis_server_prepare_tls(struct redis_server *server)
{
    char command[1024];
    server->tls_port = redis_server_free_port();
    snprintf(server->certificates, sizeof(server->certificates), "%s", server->directory);
    snprintf(command, sizeof(command), make_certificates, server->directory);
    if (system(command) != 0)
        give_up("openssl cannot make certificates");
}

void redis_server_start_tls(struct redis_server *server)
{
    redis_server_prepare(server);
    redis_server_prepare_tls(server);
    redis_server_run(server, NULL);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void redis_server_signal(const struct redis_server *server, int signal)
{
    kill(server->pid, signal);
}

void redis_server_stop(struct redis_server *server)
{
    char command[128];
    redis_server_kill(server);
    snprintf(command, sizeof(command), "rm -rf '%s'", server->directory);
    if (system(command) != 0)
        fprintf(stderr, "redis_server: %s is left\n", server->directory);
}

static void write_answer(const redisReply *reply, char *answer, size_t size)
{
    size_t at = 0;
    if (reply->type == REDIS_REPLY_INTEGER)
        snprintf(answer, size, "%lld", reply->integer);
    else if (reply->type == REDIS_REPLY_ERROR)
        snprintf(answer, size, "-%s", reply->str);
    else if (reply->type != REDIS_REPLY_ARRAY)
        snprintf(answer, size, "%s", reply->str == NULL ? "" : reply->str);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements && at + 1 < size; i++) {
        char element[256] = "";
        write_answer(reply->element[i], element, sizeof(element));
        at += (size_t)snprintf(answer + at, size - at, "%s%s", i == 0 ? "" : " ", element);
    }
}

bool redis_server_ask_v(const struct redis_server *server, char *answer, size_t size, int count,
                        const char *const *arguments, const size_t *lens)
{
    struct timeval patience = {.tv_sec = 10};
    redisContext *context = redisConnectWithTimeout("127.0.0.1", server->port, patience);
    redisReply *reply = NULL;
    if (context != NULL && context->err == 0) {
        redisSetTimeout(context, patience);
        if (server->password[0] != '\0')
            freeReplyObject(redisCommand(context, "AUTH %s", server->password));
        reply = redisCommandArgv(context, count, (const char **)arguments, lens);
    }
    if (reply != NULL && answer != NULL) {
        answer[0] = '\0';
        write_answer(reply, answer, size);
    }
    bool answered = reply != NULL;
    freeReplyObject(reply);
    if (context != NULL)
        redisFree(context);
    return answered;
}

bool redis_server_ask(const struct redis_server *server, char *answer, size_t size, ...)
{
    const char *arguments[32];
    size_t lens[32];
    int count = 0;
    va_list list;
    va_start(list, size);
    for (const char *next; count < 32 && (next = va_arg(list, const char *)) != NULL; count++) {
        arguments[count] = next;
        lens[count] = strlen(next);
    }
    va_end(list);
    return redis_server_ask_v(server, answer, size, count, arguments, lens);
}
