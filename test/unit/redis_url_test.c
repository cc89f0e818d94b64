#include "bus/redis/proto/url.h"
#include <criterion/criterion.h>
#include <string.h>

static void expect_bad(const char *text, const char *word)
{
    struct fr_redis_url url;
    struct freshet_error error;
    cr_assert_eq(fr_redis_url_init(&url, text, &error), FRESHET_INVALID, "%s", text);
    cr_assert_not_null(strstr(error.text, word), "%s: %s", text, error.text);
    cr_assert_null(strstr(error.text, "sesame"));
    fr_redis_url_deinit(&url);
}

static void expect_host(const char *text, const char *host, int port, uint32_t database)
{
    struct fr_redis_url url;
    cr_assert_eq(fr_redis_url_init(&url, text, NULL), FRESHET_OK, "%s", text);
    cr_assert_eq(url.kind, FR_REDIS_URL_SERVER);
    cr_assert_eq(url.address_count, 1);
    cr_assert_str_eq(url.addresses[0].name, host);
    cr_assert_eq(url.addresses[0].port, port);
    cr_assert_eq(url.database, database);
    fr_redis_url_deinit(&url);
}

Test(redis_url, reads_hosts_ports_and_databases)
{
    expect_host("redis://cache", "cache", 6379, 0);
    expect_host("redis://cache/", "cache", 6379, 0);
    expect_host("redis://cache:7000/4", "cache", 7000, 4);
    expect_host("rediss://127.0.0.1:1", "127.0.0.1", 1, 0);
    expect_host("redis://[::1]", "::1", 6379, 0);
    expect_host("redis://[fe80::1]:65535/0", "fe80::1", 65535, 0);
}

Test(redis_url, decodes_user_and_password)
{
    struct fr_redis_url url;
    cr_assert_eq(fr_redis_url_init(&url, "rediss://bo%62:s%40%3a@%2F@host:1", NULL), FRESHET_OK);
    cr_assert_str_eq(url.user, "bob");
    cr_assert_str_eq(url.password, "s@:@/");
    cr_assert_str_eq(url.addresses[0].name, "host");
    cr_assert(url.tls);
    fr_redis_url_deinit(&url);
    cr_assert_eq(fr_redis_url_init(&url, "redis://:only@host", NULL), FRESHET_OK);
    cr_assert_null(url.user);
    cr_assert_str_eq(url.password, "only");
    fr_redis_url_deinit(&url);
}

Test(redis_url, reads_unix_sockets)
{
    struct fr_redis_url url;
    cr_assert_eq(fr_redis_url_init(&url, "redis+unix:///run/redis%20one.sock", NULL), FRESHET_OK);
    cr_assert_str_eq(url.addresses[0].name, "/run/redis one.sock");
    cr_assert_eq(url.addresses[0].port, 0);
    fr_redis_url_deinit(&url);
    cr_assert_eq(fr_redis_url_init(&url, "redis+unix://u:p@/run/r", NULL), FRESHET_OK);
    cr_assert_str_eq(url.user, "u");
    cr_assert_str_eq(url.addresses[0].name, "/run/r");
    fr_redis_url_deinit(&url);
}

static void expect_address(const struct fr_redis_url *url, unsigned place, const char *text)
{
    cr_assert_lt(place, url->address_count);
    cr_assert_str_eq(fr_redis_address_text(&url->addresses[place]).text, text);
}

/* contract 7.8 */
Test(redis_url, reads_sentinels_with_the_name_of_their_master)
{
    struct fr_redis_url url;
    const char *text = "redis+sentinel://u:p%2F@one:1,[::1],three/my%20master/4";
    cr_assert_eq(fr_redis_url_init(&url, text, NULL), FRESHET_OK);
    cr_assert_eq(url.kind, FR_REDIS_URL_SENTINEL);
    cr_assert_eq(url.address_count, 3);
    expect_address(&url, 0, "one:1");
    expect_address(&url, 1, "[::1]:26379");
    expect_address(&url, 2, "three:26379");
    cr_assert_str_eq(url.master, "my master");
    cr_assert_str_eq(url.user, "u");
    cr_assert_str_eq(url.password, "p/");
    cr_assert_eq(url.database, 4);
    cr_assert_not(url.tls);
    fr_redis_url_deinit(&url);
    cr_assert_eq(fr_redis_url_init(&url, "rediss+sentinel://one/m", NULL), FRESHET_OK);
    cr_assert(url.tls);
    cr_assert_eq(url.database, 0);
    fr_redis_url_deinit(&url);
}

Test(redis_url, reads_the_nodes_of_a_cluster)
{
    struct fr_redis_url url;
    cr_assert_eq(fr_redis_url_init(&url, "rediss+cluster://one,[fe80::1]:7001/", NULL), FRESHET_OK);
    cr_assert_eq(url.kind, FR_REDIS_URL_CLUSTER);
    cr_assert_eq(url.address_count, 2);
    expect_address(&url, 0, "one:6379");
    expect_address(&url, 1, "[fe80::1]:7001");
    cr_assert(url.tls);
    fr_redis_url_deinit(&url);
}

Test(redis_url, takes_sixteen_hosts)
{
    struct fr_redis_url url;
    const char *text = "redis+sentinel://0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15/m";
    cr_assert_eq(fr_redis_url_init(&url, text, NULL), FRESHET_OK);
    expect_address(&url, 15, "15:26379");
    fr_redis_url_deinit(&url);
    expect_bad("redis+sentinel://0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16/m", "more than 16 hosts");
}

Test(redis_url, names_the_part_that_is_wrong_and_never_the_password)
{
    expect_bad("http://cache", "begin with");
    expect_bad("", "begin with");
    expect_bad("redis://", "host");
    expect_bad("redis://:0", "host");
    expect_bad("redis://u:sesame@", "host");
    expect_bad("redis://cache:0", "port");
    expect_bad("redis://cache:", "port");
    expect_bad("redis://u:sesame@cache:65536", "port");
    expect_bad("redis://cache:12a", "port");
    expect_bad("redis://cache:999999999999", "port");
    expect_bad("redis://u:sesame@cache/x", "database");
    expect_bad("redis://cache/-1", "database");
    expect_bad("redis://cache/1/2", "database");
    expect_bad("redis://[::1", "brackets");
    expect_bad("redis://[::1]x", "brackets");
    expect_bad("redis://sesame@cache", "user:password");
    expect_bad("redis://u:@cache", "password is empty");
    expect_bad("redis://u:sesame%4@cache", "password");
    expect_bad("redis://u:sesame%zz@cache", "password");
    expect_bad("redis://u:sesame%00@cache", "password");
    expect_bad("redis://u%:sesame@cache", "user");
    expect_bad("redis://cache?db=1", "'?'");
    expect_bad("redis://cache/1#x", "'#'");
    expect_bad("redis+cluster://one,two?x=,three", "'?'");
    expect_bad("redis+sentinel://one/main?db=1", "'?'");
    expect_bad("redis+unix://relative", "path");
    expect_bad("redis+unix://", "path");
    expect_bad("redis://one,two", "redis+sentinel://");
    expect_bad("redis+sentinel://u:sesame@one,two", "name of the master");
    expect_bad("redis+sentinel://one,two/", "name of the master");
    expect_bad("redis+sentinel://one,/m", "host");
    expect_bad("redis+sentinel://,one/m", "host");
    expect_bad("redis+sentinel://one,two:x/m", "port");
    expect_bad("redis+sentinel://one/m/x", "database");
    expect_bad("redis+sentinel://one/%00", "name of the master");
    expect_bad("redis+cluster://one/1", "a cluster has no databases");
}
