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
