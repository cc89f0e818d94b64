/* A real Redis that lets nobody in, and then does. */
#include "redis_rig.h"
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <unistd.h>

/* contract 7.6: normal backoff, and readable */
Test(redis_refusal, waits_while_the_server_has_too_many_clients, .timeout = 120)
{
    struct redis_server server;
    struct rig rig;
    redis_server_start(&server, NULL);
    redisContext *inside = redisConnect("127.0.0.1", server.port);
    cr_assert(inside != NULL && inside->err == 0);
    freeReplyObject(redisCommand(inside, "CONFIG SET maxclients 1"));
    rig_start_url(&rig, server.url);
    cr_assert(recorder_wait_log(&rig.heard, "not ready yet: \"ERR max number of clients", WAIT_MS));
    cr_assert_eq(rig_stats(&rig).state, FRESHET_BUS_DOWN);
    freeReplyObject(redisCommand(inside, "CONFIG SET maxclients 100"));
    rig_wait_proved(&rig, 1);
    redisFree(inside);
    rig_stop(&rig);
    redis_server_stop(&server);
}

struct files {
    char url[64], ca[128], cert[128], key[128];
};

static struct freshet_redis_options tls_options(const struct redis_server *server, struct files *files)
{
    snprintf(files->url, sizeof(files->url), "rediss://127.0.0.1:%d", server->tls_port);
    snprintf(files->ca, sizeof(files->ca), "%s/ca.pem", server->certificates);
    snprintf(files->cert, sizeof(files->cert), "%s/cert.pem", server->certificates);
    snprintf(files->key, sizeof(files->key), "%s/key.pem", server->certificates);
    struct freshet_redis_options options = rig_options(files->url);
    options.tls_ca_file = files->ca;
    return options;
}

Test(redis_refusal, shows_its_certificate_to_a_server_that_asks_for_one, .timeout = 120)
{
    struct redis_server server;
    struct files files;
    struct rig rig;
    redis_server_start_tls(&server);
    cr_assert(redis_server_ask(&server, NULL, 0, "CONFIG", "SET", "tls-auth-clients", "yes", NULL));
    struct freshet_redis_options options = tls_options(&server, &files);
    rig_start(&rig, &options);
    cr_assert(recorder_wait_log(&rig.heard, "TLS: ", WAIT_MS), "%s", rig.heard.log);
    cr_assert_eq(rig_stats(&rig).state, FRESHET_BUS_DOWN);
    rig_stop(&rig);
    options.tls_cert_file = files.cert;
    options.tls_key_file = files.key;
    rig_start(&rig, &options);
    rig_wait_proved(&rig, 1);
    rig_stop(&rig);
    redis_server_stop(&server);
}

/* contract 8.2: a library asks nobody at the terminal */
Test(redis_refusal, refuses_a_key_with_a_passphrase_instead_of_asking_for_it, .timeout = 120)
{
    struct redis_server server;
    struct files files;
    struct freshet_bus *bus;
    struct freshet_error error = {0};
    char command[512];
    int input[2];
    redis_server_start_tls(&server);
    struct freshet_redis_options options = tls_options(&server, &files);
    snprintf(command, sizeof(command), "openssl pkey -in %s -aes128 -passout pass:word -out %s.locked",
             files.key, files.key);
    cr_assert_eq(system(command), 0);
    strcat(files.key, ".locked");
    options.tls_cert_file = files.cert;
    options.tls_key_file = files.key;
    setsid(); /* without a terminal OpenSSL reads the standard input */
    cr_assert_eq(pipe(input), 0);
    cr_assert_eq(write(input[1], "word\n", 5), 5);
    dup2(input[0], STDIN_FILENO);
    cr_assert_eq(freshet_redis_bus_new(&bus, &options, &error), FRESHET_SYSTEM);
    cr_assert_not_null(strstr(error.text, "tls_key_file"), "%s", error.text);
    redis_server_stop(&server);
}
