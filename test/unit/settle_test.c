/* One more load after a publish, for state behind lagging replicas: settle_ms. */
#include "snapshot_rig.h"

static const struct freshet_loader_options settling = {.shared = true, .settle_ms = 1000};

/* contract 4.12 */
Test(settle, loads_once_more_after_a_publish_and_pushes_what_differs)
{
    begin_with_snapshot((struct freshet_options){0}, &settling);
    rig_pass_ms(5000);
    cr_assert_eq(rig.load_count, 1, "not after the first load, which no publish caused");
    rig_publish("board/b1");
    rig_answer("one"); /* the replica is behind */
    cr_assert_eq(client.snapshots, 2);
    rig_pass_ms(999);
    cr_assert_eq(rig.load_count, 2);
    rig_pass_ms(1);
    cr_assert_eq(rig.load_count, 3);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_SETTLE);
    cr_assert_eq(rig_last_load()->publishes, 0);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    rig_pass_ms(60000);
    cr_assert_eq(rig.load_count, 3, "one more, not one after the other");
    end_with_client();
}

/* contract 4.12 */
Test(settle, equal_result_is_not_pushed)
{
    begin_with_snapshot((struct freshet_options){0}, &settling);
    rig_publish("board/b1");
    rig_answer("two");
    rig_pass_ms(1000);
    cr_assert_eq(rig.load_count, 3);
    rig_answer("two");
    cr_assert_str_eq(client.order, "ss");
    end_with_client();
}

/* contract 4.12: that long after the last one */
Test(settle, another_publish_begins_the_time_anew)
{
    begin_with_snapshot((struct freshet_options){0}, &settling);
    rig_publish("board/b1");
    rig_answer("two");
    rig_pass_ms(900);
    rig_publish("board/b1");
    rig_answer("three");
    rig_pass_ms(999);
    cr_assert_eq(rig.load_count, 3);
    rig_pass_ms(1);
    cr_assert_eq(rig.load_count, 4);
    rig_answer("three");
    end_with_client();
}

/* contract 4.12: an earlier load for another cause may still read the old state */
Test(settle, load_for_another_cause_does_not_stand_for_it)
{
    begin_with_snapshot((struct freshet_options){0}, &settling);
    rig_publish("board/b1");
    rig_answer("two");
    rig_pass_ms(500);
    rig.bus->sink.everything(rig.bus->sink.context);
    rig_run();
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_GAP);
    rig_answer("two");
    rig_pass_ms(499);
    cr_assert_eq(rig.load_count, 3);
    rig_pass_ms(1);
    cr_assert_eq(rig.load_count, 4);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_SETTLE);
    rig_answer("two");
    end_with_client();
}

/* contract 4.12, 4.5: the retry stands for the publish */
Test(settle, follows_the_retry_of_a_failed_load)
{
    begin_with_snapshot((struct freshet_options){0}, &settling);
    rig_publish("board/b1");
    rig_fail("broken");
    rig_pass_ms(400);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_RETRY);
    rig_answer("one");
    unsigned loads = rig.load_count;
    rig_pass_ms(999);
    cr_assert_eq(rig.load_count, loads);
    rig_pass_ms(1);
    cr_assert_eq(rig.load_count, loads + 1);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_SETTLE);
    rig_answer("two");
    cr_assert(client_has(&client, "two"));
    end_with_client();
}

/* contract 4.7, 4.12: it is a load like others */
Test(settle, keeps_to_min_interval)
{
    begin_with_snapshot(
        (struct freshet_options){0},
        &(struct freshet_loader_options){.shared = true, .settle_ms = 100, .min_interval_ms = 1000});
    rig_pass_ms(1000);
    rig_publish("board/b1");
    rig_answer("two");
    rig_pass_ms(999);
    cr_assert_eq(rig.load_count, 2);
    rig_pass_ms(1);
    cr_assert_eq(rig.load_count, 3);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_SETTLE);
    rig_answer("three");
    cr_assert(client_has(&client, "three"));
    end_with_client();
}

/* contract 4.12: off */
Test(settle, never_is_off)
{
    begin_with_snapshot((struct freshet_options){0},
                        &(struct freshet_loader_options){.shared = true, .settle_ms = FRESHET_NEVER});
    rig_publish("board/b1");
    rig_answer("two");
    rig_pass_ms(60000);
    cr_assert_eq(rig.load_count, 2);
    end_with_client();
}
