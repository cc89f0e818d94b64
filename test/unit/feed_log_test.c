/* What a feed tells of its states to whoever looks for a fault. */
#include "core_rig.h"

static char lines[4096];

static void note(enum freshet_log_level level, const char *text, void *user)
{
    (void)user;
    size_t used = strlen(lines);
    if (level == FRESHET_LOG_DEBUG)
        snprintf(lines + used, sizeof(lines) - used, "%s\n", text);
}

static void load_once(enum freshet_log_level level)
{
    static struct client client;
    rig_begin((struct freshet_options){.log = {.write = note, .level = level}}, 1);
    rig_add_loader(&(struct freshet_loader_options){.shared = true});
    client_open(&client, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    rig_message("board/b1");
    rig_run();
    rig_answer("two");
    cr_assert_eq(client.snapshots, 2);
    client_close(&client);
    rig_end();
}

/* contract 8.2: a line for each change, none where the state stays */
Test(feed_log, tells_each_change_of_state)
{
    load_once(FRESHET_LOG_DEBUG);
    cr_assert_str_eq(lines, "feed of board for topic board/b1: idle -> paused\n"
                            "feed of board for topic board/b1: paused -> loading\n"
                            "feed of board for topic board/b1: loading -> idle\n"
                            "feed of board for topic board/b1: idle -> loading\n"
                            "feed of board for topic board/b1: loading -> idle\n"
                            "feed of board for topic board/b1: idle -> lingering\n");
}

/* contract 8.2 */
Test(feed_log, says_nothing_below_debug)
{
    load_once(FRESHET_LOG_INFO);
    cr_assert_str_eq(lines, "");
}
