#include "core/hub/dump_hub.h"

#include "base/log.h"
#include "core/hub/fanout.h"
#include "core/hub/subscription.h"
#include "core/load/loader.h"

static void dump_listeners(struct fr_dump *dump, const struct fr_list *listeners)
{
    for (const struct fr_list *link = listeners->next; link != listeners; link = link->next) {
        const struct fr_listener *listener = FR_CONTAINER(link, struct fr_listener, link);
        if (fr_dump_row(dump))
            listener->type->describe(listener, dump->file);
    }
}

void fr_dump_hub(struct fr_dump *dump, struct fr_worker *worker)
{
    fprintf(dump->file, "  views %zu, subscriptions %zu, shared feeds %zu\n", worker->views,
            worker->subscriptions.count, worker->feeds.count);
    for (struct fr_map_node *node = NULL; (node = fr_map_next(&worker->subscriptions, node)) != NULL;) {
        const struct fr_subscription *subscription = FR_CONTAINER(node, struct fr_subscription, node);
        dump_listeners(dump, &subscription->listeners);
        dump_listeners(dump, &subscription->unreached);
        dump_listeners(dump, &subscription->collectors);
    }
    fr_dump_end_rows(dump, "feeds");
}

void fr_dump_view(FILE *file, const struct fr_view *view)
{
    const struct fr_fanout *fanout = view->fanout;
    if (fanout == NULL) {
        fprintf(file, "no view");
        return;
    }
    fprintf(file, "%s of %s, snapshot %u of %u, error %u of %u%s", fanout->key->loader->name,
            fr_escape(fanout->key->topic).text, view->snapshot_seen, fanout->update.snapshot_number,
            view->error_seen, fanout->update.error_number, view->joining ? ", waits for its feed" : "");
}
