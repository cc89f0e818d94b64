#include "core_rig.h"
#include <freshet/typed.h>

FRESHET_CHANNEL(rooms, "room/:id", (param(id)), text(line));
FRESHET_CHANNEL(people, "room/:name", (param(name)), int64(age));
FRESHET_CHANNEL(lobby, "lobby/:id", (param(id)), int64(age));

static enum freshet_status add(const char *name, const char *route, const struct freshet_channel *channel,
                               struct freshet_error *error)
{
    struct freshet_loader_options options = {.size = sizeof(options),
                                             .name = name,
                                             .route = route,
                                             .channel = channel,
                                             .load = rig_load,
                                             .on_loop = true};
    return freshet_loader_new(rig.freshet, &options, NULL, error);
}

/* contract 1.6 */
Test(loaders, channels_of_one_topic_and_two_types_are_refused_naming_both)
{
    struct freshet_error error = {""};
    rig_begin((struct freshet_options){0}, 1);
    cr_assert_eq(add("rooms", "room/:id", rooms_channel(NULL), &error), FRESHET_OK, "%s", error.text);
    cr_assert_eq(add("again", "again/:id", rooms_channel(NULL), &error), FRESHET_OK, "%s", error.text);
    cr_assert_eq(add("lobby", "lobby/:id", lobby_channel(NULL), &error), FRESHET_OK, "%s", error.text);
    cr_assert_eq(add("people", "people/:name", people_channel(NULL), &error), FRESHET_CONFLICT);
    cr_assert(strstr(error.text, "room/:name") != NULL && strstr(error.text, "room/:id") != NULL, "%s",
              error.text);
    rig_end();
}

static enum freshet_status add_pair(const char *route, const char *name, struct freshet_error *error)
{
    static unsigned count;
    char loader[32];
    struct freshet_channel *channel;
    snprintf(loader, sizeof(loader), "pair%u", count++);
    cr_assert_eq(freshet_channel_new(&channel, name, NULL), FRESHET_OK);
    enum freshet_status status = add(loader, route, channel, error);
    freshet_channel_destroy(channel);
    return status;
}

/* contract 4.1, 1.4: a route some of whose paths would answer 400 to everybody is a mistake of the program */
Test(loaders, route_that_cannot_fill_its_channel_is_refused_naming_the_parameter)
{
    static const struct {
        const char *route, *channel, *culprit;
    } bad[] = {
        {"b/:id", "board/:boardId", "boardId"}, {"b", "board/:boardId", "boardId"},
        {"b/:id?", "board/:id", "id"},          {"b/:id*", "board/:id", "id"},
        {"b/:id+", "board/:id", "id"},          {"b/:id+", "board/:id?", "id"},
        {"b/:path*", "files/:path+", "path"},   {"b/:path?", "files/:path+", "path"},
        {"b/:path*", ":path*", "path"},         {"b", ":id?", "id"},
        {"b/:b", "board/:b/task/:t", "t"},
    };
    static const struct {
        const char *route, *channel;
    } good[] = {
        {"a/:id", "board/:id"},       {"b/:id/:other", "board/:id"}, {"c/:id?", "board/:id?"},
        {"d", "board/:id?"},          {"e/:id", "board/:id?"},       {"f/:path+", "files/:path+"},
        {"g/:path+", "files/:path*"}, {"h/:path*", "files/:path*"},  {"i/:path", "files/:path+"},
        {"j/:path?", "files/:path*"}, {"k/:path+", ":path*"},        {"l/:x", "lobby"},
    };
    struct freshet_error error;
    char quoted[32];
    rig_begin((struct freshet_options){0}, 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(add_pair(bad[i].route, bad[i].channel, &error), FRESHET_INVALID, "%s of %s",
                     bad[i].route, bad[i].channel);
        snprintf(quoted, sizeof(quoted), "parameter \"%s\"", bad[i].culprit);
        cr_assert(strstr(error.text, quoted) != NULL && strstr(error.text, bad[i].route) != NULL, "%s",
                  error.text);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert_eq(add_pair(good[i].route, good[i].channel, &error), FRESHET_OK, "%s", error.text);
    rig_end();
}

FRESHET_SIGNAL(slip, "room/:id", ());

/* contract 1.2: what is wrong with the channel is not covered up by there being none */
Test(loaders, reason_why_there_is_no_channel_stays)
{
    struct freshet_error error = {""};
    struct freshet_channel *channel;
    rig_begin((struct freshet_options){0}, 1);
    cr_assert_eq(add("slip", "room/:id", slip_channel(&error), &error), FRESHET_INVALID);
    cr_assert(strstr(error.text, "\"room/:id\" has :id, which is not declared") != NULL, "%s", error.text);
    freshet_channel_new(&channel, "room/:bad-name", &error);
    cr_assert_eq(add("slip", "room/:id", channel, &error), FRESHET_INVALID);
    cr_assert(strstr(error.text, ":bad-name") != NULL, "%s", error.text);
    /* What stood there for another reason goes. */
    snprintf(error.text, sizeof(error.text), "loader other: the name is taken");
    cr_assert_eq(add("slip", "room/:id", NULL, &error), FRESHET_INVALID);
    cr_assert(strstr(error.text, "channel") != NULL && strstr(error.text, "slip") != NULL, "%s", error.text);
    cr_assert_eq(add("slip", "room//:id", rooms_channel(NULL), &error), FRESHET_INVALID);
    cr_assert(strstr(error.text, "loader slip: route: segment 2") != NULL, "%s", error.text);
    rig_end();
}

static void stand_by(struct freshet_check check, const struct freshet_request *request, void *user)
{
    (void)request;
    (void)user;
    freshet_check_allow(check);
}

/* contract 4.8: streams read routes and their guards without a lock, so these stay as they are */
Test(loaders, and_guards_of_routes_are_refused_once_a_worker_has_joined)
{
    const struct freshet_guard guard = {.guard = stand_by};
    struct freshet_error error = {""};
    struct client client;
    rig_begin((struct freshet_options){0}, 1);
    cr_assert_eq(add("rooms", "room/:id", rooms_channel(NULL), &error), FRESHET_OK, "%s", error.text);
    rig_join();
    cr_assert_eq(add("lobby", "lobby/:id", lobby_channel(NULL), &error), FRESHET_CONFLICT);
    cr_assert_not_null(strstr(error.text, "lobby: a worker has joined"), "%s", error.text);
    cr_assert_eq(freshet_use(rig.freshet, "room/:rest*", &guard, 1, &error), FRESHET_CONFLICT);
    cr_assert_not_null(strstr(error.text, "room/:rest*: a worker has joined"), "%s", error.text);
    client_open(&client, 0, "room/1"); /* what was there before is served, without the guard */
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    cr_assert(client_has(&client, "one"));
    client_close(&client);
    rig_leave(0);
    cr_assert_eq(add("lobby", "lobby/:id", lobby_channel(NULL), &error), FRESHET_CONFLICT, "for good");
    rig_end();
}
