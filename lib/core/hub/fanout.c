/* A fanout on the side of its streams: who joins and parts, and what they are told. */
#include "core/hub/fanout_internal.h"
#include "core/hub/feed.h"
#include "core/hub/message_feed.h"
#include "core/hub/subscription.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include <assert.h>
#include <stdlib.h>

static void deliver_to_views(struct fr_mail *mail);
static size_t sweep(struct fr_task *task, size_t limit);
static void close_fanout(struct fr_fanout *fanout);

static struct fr_topics *topics_of(const struct fr_fanout *fanout)
{
    return &fanout->worker->freshet->topics;
}

void fr_update_release(struct fr_update *update)
{
    fr_snapshot_release(update->snapshot);
    fr_bytes_release(update->error);
    *update = (struct fr_update){0};
}

void fr_fanout_acquire(struct fr_fanout *fanout)
{
    fr_refcount_acquire(&fanout->references);
}

void fr_fanout_release(struct fr_fanout *fanout)
{
    if (!fr_refcount_release(&fanout->references))
        return;
    fr_update_release(&fanout->next);
    fr_update_release(&fanout->update);
    fr_fanout_forget_named(fanout);
    if (fanout->home != NULL)
        fr_worker_release(fanout->home);
    fr_topics_release(topics_of(fanout), fanout->topic);
    fr_feed_key_release(fanout->key);
    fr_worker_release(fanout->worker);
    pthread_mutex_destroy(&fanout->lock);
    free(fanout);
}

/* Under the lock. False: the home has closed its mailbox. */
static bool post_to_feed(struct fr_fanout *fanout)
{
    if (fanout->to_feed_posted)
        return true;
    fr_fanout_acquire(fanout);
    fanout->posted_to = fanout->home;
    fanout->to_feed_posted = fr_mailbox_post(&fanout->home->mailbox, &fanout->to_feed);
    if (!fanout->to_feed_posted)
        fr_refcount_release(&fanout->references);
    return fanout->to_feed_posted;
}

static struct fr_worker *find_home(struct fr_fanout *fanout)
{
    if (!fr_loader_shares(fanout->key->loader))
        return fr_worker_acquire(fanout->worker);
    return fr_homes_find(&fanout->worker->freshet->homes, &fanout->topic->home);
}

static void set_home(struct fr_fanout *fanout, struct fr_worker *home)
{
    pthread_mutex_lock(&fanout->lock);
    struct fr_worker *before = fanout->home;
    fanout->home = home;
    pthread_mutex_unlock(&fanout->lock);
    if (before != NULL)
        fr_worker_release(before);
}

/* Asks the feed, on a new home if the one before has left. */
static void ask_feed(struct fr_fanout *fanout)
{
    for (bool posted = false; !posted;) {
        if (fanout->home == NULL)
            set_home(fanout, find_home(fanout));
        assert(fanout->home != NULL && "this worker itself could be the home");
        pthread_mutex_lock(&fanout->lock);
        fanout->asks = true;
        posted = post_to_feed(fanout);
        pthread_mutex_unlock(&fanout->lock);
        if (!posted)
            set_home(fanout, NULL);
    }
}

static struct fr_fanout *new_fanout(struct fr_worker *worker, struct fr_feed_key *key, struct fr_topic *topic)
{
    struct fr_fanout *fanout = calloc(1, sizeof(*fanout));
    if (fanout == NULL)
        return NULL;
    fr_refcount_init(&fanout->references);
    fanout->worker = fr_worker_acquire(worker);
    fanout->key = fr_feed_key_acquire(key);
    fanout->topic = topic;
    fr_list_init(&fanout->joining);
    fr_list_init(&fanout->behind);
    fr_list_init(&fanout->told);
    fr_list_init(&fanout->sweep.link);
    fr_list_init(&fanout->in_feed);
    pthread_mutex_init(&fanout->lock, NULL);
    fanout->to_feed.deliver = fr_fanout_deliver_to_feed;
    fanout->to_views.deliver = deliver_to_views;
    fanout->sweep.run = sweep;
    if (fr_loader_shares(key->loader))
        fr_map_put(&worker->fanouts, key->id, &fanout->node);
    return fanout;
}

enum freshet_status fr_fanout_get(struct fr_worker *worker, struct fr_feed_key *key, struct fr_fanout **out)
{
    struct fr_map_node *node = fr_loader_shares(key->loader) ? fr_map_get(&worker->fanouts, key->id) : NULL;
    if (node != NULL) {
        *out = FR_CONTAINER(node, struct fr_fanout, node);
        return FRESHET_OK;
    }
    struct fr_topics *topics = &worker->freshet->topics;
    struct fr_topic *topic;
    enum freshet_status status = fr_topics_acquire(topics, key->topic, &topic);
    if (status != FRESHET_OK)
        return status;
    *out = new_fanout(worker, key, topic);
    if (*out == NULL) {
        fr_topics_release(topics, topic);
        return FRESHET_NO_MEMORY;
    }
    if (key->loader->options.messages)
        status = fr_message_feed_new(*out, &(*out)->messages);
    if (status != FRESHET_OK)
        close_fanout(*out);
    return status;
}

static void schedule_sweep(struct fr_fanout *fanout)
{
    if (!fr_list_is_empty(&fanout->behind))
        fr_worker_queue(fanout->worker, &fanout->sweep);
}

void fr_fanout_wake(struct fr_fanout *fanout)
{
    fr_list_splice(&fanout->behind, &fanout->told);
    schedule_sweep(fanout);
}

/* A new view of a message feed has nothing to catch up with, unless an error is in force or it brings a gap.
 */
static void join_messages(struct fr_fanout *fanout, struct fr_view *view)
{
    fr_message_feed_join(fanout->messages, view);
    bool has_all = fanout->update.error == NULL && !view->message_gap;
    fr_list_append(has_all ? &fanout->told : &fanout->behind, &view->link);
    schedule_sweep(fanout);
    if (fanout->views == 1)
        fr_subscription_pull(fanout->messages->subscription);
}

void fr_fanout_join(struct fr_fanout *fanout, struct fr_view *view)
{
    view->fanout = fanout;
    fanout->views++;
    fanout->gzip_views += view->in_gzip;
    fanout->worker->views++;
    atomic_fetch_add_explicit(&fanout->topic->streams, 1, memory_order_relaxed);
    if (fanout->messages != NULL) {
        join_messages(fanout, view);
        return;
    }
    view->joining = true;
    fr_list_append(&fanout->joining, &view->link);
    ask_feed(fanout);
}

static void close_fanout(struct fr_fanout *fanout)
{
    fanout->closed = true;
    if (fr_loader_shares(fanout->key->loader))
        fr_map_remove(&fanout->worker->fanouts, &fanout->node);
    fr_message_feed_destroy(fanout->messages);
    fr_list_remove(&fanout->sweep.link);
    fr_update_release(&fanout->update);
    fr_fanout_forget_named(fanout);
    fr_fanout_stop_waiting(fanout);
    if (fanout->home != NULL) {
        pthread_mutex_lock(&fanout->lock);
        fanout->leaves = true;
        post_to_feed(fanout); /* refused: its home has let go of it already */
        pthread_mutex_unlock(&fanout->lock);
    }
    fr_fanout_release(fanout);
}

void fr_fanout_part(struct fr_fanout *fanout, struct fr_view *view)
{
    fr_list_remove(&view->link);
    if (fanout->messages != NULL)
        fr_message_feed_part(fanout->messages, view);
    view->fanout = NULL;
    fanout->worker->views--;
    fanout->gzip_views -= view->in_gzip;
    atomic_fetch_sub_explicit(&fanout->topic->streams, 1, memory_order_relaxed);
    if (--fanout->views == 0)
        close_fanout(fanout);
}

/* Views that the last sweep has not reached yet stay first in the list, so nobody is ever more than two
 * sweeps behind. An update without news is for those who join: the others are not told. */
static void take_update(struct fr_fanout *fanout, struct fr_update *update, bool answers)
{
    bool news = update->snapshot_number != fanout->update.snapshot_number ||
                update->error_number != fanout->update.error_number;
    fr_update_release(&fanout->update);
    fanout->update = *update;
    fr_fanout_forget_named(fanout);
    if (news)
        fr_list_splice(&fanout->behind, &fanout->told);
    for (struct fr_list *link; answers && (link = fr_list_shift(&fanout->joining)) != NULL;) {
        FR_CONTAINER(link, struct fr_view, link)->joining = false;
        fr_list_append(&fanout->behind, link);
    }
    schedule_sweep(fanout);
}

/* The numbers of a new feed begin anew, so all views join again. */
static void find_another_feed(struct fr_fanout *fanout)
{
    set_home(fanout, NULL);
    fr_update_release(&fanout->update);
    fr_list_splice(&fanout->joining, &fanout->behind);
    fr_list_splice(&fanout->joining, &fanout->told);
    fr_list_remove(&fanout->sweep.link);
    for (struct fr_list *link = fanout->joining.next; link != &fanout->joining; link = link->next) {
        struct fr_view *view = FR_CONTAINER(link, struct fr_view, link);
        view->joining = true;
        view->snapshot_seen = view->error_seen = 0;
    }
    ask_feed(fanout);
}

/* There is no memory for a feed. The views stay until their streams close them, so that these can still say
 * which topic they showed. The home stays too: it may have served a later ask, and then has to hear that the
 * last view has left.
 */
static void end_views(struct fr_fanout *fanout)
{
    struct fr_list lost;
    fr_list_init(&lost);
    fr_list_splice(&lost, &fanout->joining);
    fr_list_splice(&lost, &fanout->behind);
    fr_list_splice(&lost, &fanout->told);
    fr_list_remove(&fanout->sweep.link);
    for (struct fr_list *link; (link = fr_list_shift(&lost)) != NULL;) {
        struct fr_view *view = FR_CONTAINER(link, struct fr_view, link);
        view->joining = true; /* for what will not come */
        fr_list_append(&fanout->told, link);
        fr_view_tell_lost(view, FRESHET_CLOSE_NO_MEMORY);
    }
}

static void deliver_to_views(struct fr_mail *mail)
{
    struct fr_fanout *fanout = FR_CONTAINER(mail, struct fr_fanout, to_views);
    pthread_mutex_lock(&fanout->lock);
    struct fr_update update = fanout->next;
    bool has_update = fanout->has_update, answers = fanout->answers;
    enum fr_feed_loss loss = fanout->loss;
    fanout->next = (struct fr_update){0};
    fanout->has_update = fanout->answers = fanout->to_views_posted = false;
    fanout->loss = FR_FEED_KEPT;
    pthread_mutex_unlock(&fanout->lock);
    if (has_update && loss == FR_FEED_KEPT && !fanout->closed)
        take_update(fanout, &update, answers);
    else
        fr_update_release(&update);
    if (loss == FR_FEED_MOVED && !fanout->closed)
        find_another_feed(fanout);
    else if (loss == FR_FEED_NO_MEMORY && !fanout->closed)
        end_views(fanout);
    fr_fanout_release(fanout);
}

/* Tells views of what is new, at most `limit` of them. A view that is told may part, the last one too. */
static size_t sweep(struct fr_task *task, size_t limit)
{
    struct fr_fanout *fanout = FR_CONTAINER(task, struct fr_fanout, sweep);
    struct fr_list *link;
    size_t told = 0;
    fr_fanout_acquire(fanout);
    while (told < limit && !fanout->closed && (link = fr_list_shift(&fanout->behind)) != NULL) {
        fr_list_append(&fanout->told, link);
        told++;
        fr_view_tell_ready(FR_CONTAINER(link, struct fr_view, link));
    }
    if (!fanout->closed && fr_list_is_empty(&fanout->behind) && fanout->messages != NULL)
        fr_message_feed_swept(fanout->messages);
    if (!fanout->closed)
        schedule_sweep(fanout);
    fr_fanout_release(fanout);
    return told;
}

struct fr_view *fr_fanout_only_view(const struct fr_fanout *fanout)
{
    const struct fr_list *lists[] = {&fanout->joining, &fanout->behind, &fanout->told};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (!fr_list_is_empty(lists[i]))
            return FR_CONTAINER(lists[i]->next, struct fr_view, link);
    return NULL;
}

void fr_fanout_admitted(struct fr_fanout *fanout)
{
    if (fanout->feed != NULL)
        fr_feed_admitted(fanout->feed);
}
