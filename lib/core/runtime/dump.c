#include "core/runtime/dump.h"

#include "base/log.h"
#include "core/runtime/topics.h"
#include <inttypes.h>

bool fr_dump_row(struct fr_dump *dump)
{
    bool has_room = dump->rows < dump->most;
    if (has_room)
        dump->rows++;
    else
        dump->left_out++;
    return has_room;
}

void fr_dump_end_rows(struct fr_dump *dump, const char *kind)
{
    if (dump->left_out > 0)
        fprintf(dump->file, "  and %zu more %s\n", dump->left_out, kind);
    dump->rows = 0;
    dump->left_out = 0;
}

static unsigned count_links(const struct fr_list *list)
{
    unsigned count = 0;
    for (const struct fr_list *link = list->next; link != list; link = link->next)
        count++;
    return count;
}

static const char *state_text(enum fr_topic_state state)
{
    static const char *const texts[] = {
        [FR_TOPIC_WAITING] = "waiting", [FR_TOPIC_CONFIRMED] = "confirmed", [FR_TOPIC_REFUSED] = "refused"};
    return texts[state];
}

void fr_dump_topics(struct fr_dump *dump, struct fr_topics *topics)
{
    pthread_mutex_lock(&topics->lock);
    fprintf(dump->file, "topics %zu, change %" PRIu64 ", doubted at %" PRIu64 "\n", topics->map.count,
            topics->changes, topics->doubted);
    for (struct fr_map_node *node = NULL; (node = fr_map_next(&topics->map, node)) != NULL;) {
        struct fr_topic *topic = FR_CONTAINER(node, struct fr_topic, node);
        if (fr_dump_row(dump))
            fprintf(dump->file,
                    "  topic %s: %s, subscription %" PRIu64 ", change %" PRIu64 ", streams %zu, workers %u\n",
                    fr_escape(fr_topic_name(topic)).text, state_text(topic->state), topic->subscription_id,
                    topic->change, atomic_load(&topic->streams), count_links(&topic->subscribers));
    }
    pthread_mutex_unlock(&topics->lock);
    fr_dump_end_rows(dump, "topics");
}
