/* A real redis-server for tests: on a free loopback port, in a directory of its own, stopped by its own pid.
 * It dies with the test's process, too. */
#ifndef TEST_REDIS_SERVER_H
#define TEST_REDIS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct redis_server {
    pid_t pid; /* 0: not running */
    int port;
    int tls_port; /* 0: none */
    char directory[64];
    char socket[96];       /* its unix socket */
    char url[64];          /* redis://127.0.0.1:<port> */
    char certificates[96]; /* directory with ca.pem, cert.pem, key.pem; empty: no TLS */
    char config[96];       /* a file that it reads (and a sentinel rewrites); empty: none */
    char password[32];     /* what redis_server_ask gives first; empty: nothing */
};

/* `arguments`: more for its command line, NULL at the end, or NULL. Waits until it answers; aborts the test's
 * process with a message if it cannot. */
void redis_server_start(struct redis_server *server, const char *const *arguments);
/* The same with TLS on a second port, and certificates made for 127.0.0.1 and "localhost". */
void redis_server_start_tls(struct redis_server *server);
/* A loopback port that nobody has now, below those that the kernel gives to clients. */
int redis_server_free_port(void);
/* Gives it a TLS port, and certificates in its directory. Before it runs. */
void redis_server_prepare_tls(struct redis_server *server);
/* Only picks the port and the directory: nothing listens. */
void redis_server_prepare(struct redis_server *server);
/* Runs it (again) on its port. */
void redis_server_run(struct redis_server *server, const char *const *arguments);
/* The same; false: it ended at once, as it does when somebody has taken the port meanwhile. */
bool redis_server_try_run(struct redis_server *server, const char *const *arguments);
/* SIGKILL, and waits for its end. */
void redis_server_kill(struct redis_server *server);
void redis_server_signal(const struct redis_server *server, int signal);
/* Kills it and removes the directory. */
void redis_server_stop(struct redis_server *server);

/* The pause of whoever asks until something is so: 10 ms. */
void redis_server_nap(void);

/* Sends one command over a connection of its own: arguments as for printf-less redis-cli, NULL at the end.
 * The answer as text (an integer as digits, an array's elements joined by a space, an error with its '-'),
 * cut to the size of `answer`, which may be NULL. False: no answer. */
bool redis_server_ask(const struct redis_server *server, char *answer, size_t size, ...)
    __attribute__((sentinel));
/* The same with one binary argument vector. */
bool redis_server_ask_v(const struct redis_server *server, char *answer, size_t size, int count,
                        const char *const *arguments, const size_t *lens);

#endif
