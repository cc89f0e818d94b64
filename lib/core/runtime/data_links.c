#include "core/runtime/data_links.h"

#include "core/runtime/context.h"

static void add(const struct freshet_data_stats *from, struct freshet_data_stats *to)
{
    if (to->links == 0 || from->good_age_ms < 0 ||
        (to->good_age_ms >= 0 && from->good_age_ms > to->good_age_ms))
        to->good_age_ms = from->good_age_ms;
    to->links += from->links;
    to->links_up += from->links_up;
    to->reconnects += from->reconnects;
    to->errors += from->errors;
    to->unanswered += from->unanswered;
    to->queued += from->queued;
}

void fr_data_link_join(struct freshet *freshet, struct fr_data_link *data_link)
{
    if (freshet == NULL)
        return;
    pthread_mutex_lock(&freshet->homes.lock);
    fr_list_append(&freshet->data_links, &data_link->link);
    pthread_mutex_unlock(&freshet->homes.lock);
}

void fr_data_link_leave(struct freshet *freshet, struct fr_data_link *data_link)
{
    struct freshet_data_stats last;
    if (freshet == NULL)
        return;
    pthread_mutex_lock(&freshet->homes.lock);
    data_link->read(data_link, &last);
    last.links = last.links_up = last.queued = 0;
    add(&last, &freshet->left.data);
    fr_list_remove(&data_link->link);
    pthread_mutex_unlock(&freshet->homes.lock);
}

void fr_data_link_back(struct freshet *freshet, bool doubtful)
{
    if (freshet == NULL)
        return;
    if (doubtful) {
        fr_count(&freshet->counters.gaps, 1);
        fr_topics_all_marked(&freshet->topics);
    } else {
        fr_topics_retry(&freshet->topics, freshet_span(NULL, 0), NULL);
    }
}

void fr_data_links_read(const struct freshet *freshet, struct freshet_data_stats *stats)
{
    *stats = freshet->left.data;
    stats->good_age_ms = -1;
    for (struct fr_list *link = freshet->data_links.next; link != &freshet->data_links; link = link->next) {
        const struct fr_data_link *data_link = FR_CONTAINER(link, struct fr_data_link, link);
        struct freshet_data_stats one;
        data_link->read(data_link, &one);
        add(&one, stats);
    }
}
