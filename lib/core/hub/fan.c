#include "core/hub/fan.h"

#include "core/hub/feed.h"
#include "core/hub/message_feed.h"
#include "core/hub/subscription.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void deliver_to_feed(struct fr_mail *mail);
static void deliver_to_views(struct fr_mail *mail);
static size_t sweep(struct fr_task *task, size_t limit);
static void close_fan(struct fr_fan *fan);

static struct fr_topics *topics_of(const struct fr_fan *fan)
{
    return &fan->worker->freshet->topics;
}

static void release_show(struct fr_show *show)
{
    fr_bytes_release(show->snapshot);
    fr_bytes_release(show->error);
    *show = (struct fr_show){0};
}

static void forget_named(struct fr_fan *fan)
{
    fr_bytes_release(fan->plain);
    fr_bytes_release(fan->named);
    free(fan->name);
    fan->plain = fan->named = NULL;
    fan->name = NULL;
}

static void acquire(struct fr_fan *fan)
{
    fr_refcount_acquire(&fan->references);
}

static void release(struct fr_fan *fan)
{
    if (!fr_refcount_release(&fan->references))
        return;
    release_show(&fan->next);
    release_show(&fan->show);
    forget_named(fan);
    if (fan->home != NULL)
        fr_worker_release(fan->home);
    fr_topics_release(topics_of(fan), fan->topic);
    fr_address_release(fan->address);
    fr_worker_release(fan->worker);
    pthread_mutex_destroy(&fan->lock);
    free(fan);
}

/* ---- the streams' side ---- */

/* Under the lock. False: the home has closed its mailbox. */
static bool post_to_feed(struct fr_fan *fan)
{
    if (fan->to_feed_posted)
        return true;
    acquire(fan);
    fan->asked = fan->home;
    fan->to_feed_posted = fr_mailbox_post(&fan->home->mailbox, &fan->to_feed);
    if (!fan->to_feed_posted)
        fr_refcount_release(&fan->references);
    return fan->to_feed_posted;
}

static struct fr_worker *find_home(struct fr_fan *fan)
{
    if (!fr_loader_shares(fan->address->loader))
        return fr_worker_acquire(fan->worker);
    return fr_homes_find(&fan->worker->freshet->homes, &fan->topic->home);
}

static void set_home(struct fr_fan *fan, struct fr_worker *home)
{
    pthread_mutex_lock(&fan->lock);
    struct fr_worker *before = fan->home;
    fan->home = home;
    pthread_mutex_unlock(&fan->lock);
    if (before != NULL)
        fr_worker_release(before);
}

/* Asks the feed, on a new home if the one before has left. */
static void ask(struct fr_fan *fan)
{
    for (bool posted = false; !posted;) {
        if (fan->home == NULL)
            set_home(fan, find_home(fan));
        assert(fan->home != NULL && "this worker itself could be the home");
        pthread_mutex_lock(&fan->lock);
        fan->asks = true;
        posted = post_to_feed(fan);
        pthread_mutex_unlock(&fan->lock);
        if (!posted)
            set_home(fan, NULL);
    }
}

static struct fr_fan *new_fan(struct fr_worker *worker, struct fr_address *address, struct fr_topic *topic)
{
    struct fr_fan *fan = calloc(1, sizeof(*fan));
    if (fan == NULL)
        return NULL;
    fr_refcount_init(&fan->references);
    fan->worker = fr_worker_acquire(worker);
    fan->address = fr_address_acquire(address);
    fan->topic = topic;
    fr_list_init(&fan->joining);
    fr_list_init(&fan->behind);
    fr_list_init(&fan->told);
    fr_list_init(&fan->sweep.link);
    fr_list_init(&fan->in_feed);
    pthread_mutex_init(&fan->lock, NULL);
    fan->to_feed.deliver = deliver_to_feed;
    fan->to_views.deliver = deliver_to_views;
    fan->sweep.run = sweep;
    if (fr_loader_shares(address->loader))
        fr_map_put(&worker->fans, address->key, &fan->node);
    return fan;
}

enum freshet_status fr_fan_get(struct fr_worker *worker, struct fr_address *address, struct fr_fan **out)
{
    struct fr_map_node *node =
        fr_loader_shares(address->loader) ? fr_map_get(&worker->fans, address->key) : NULL;
    if (node != NULL) {
        *out = FR_CONTAINER(node, struct fr_fan, node);
        return FRESHET_OK;
    }
    struct fr_topics *topics = &worker->freshet->topics;
    struct fr_topic *topic;
    enum freshet_status status = fr_topics_acquire(topics, address->topic, &topic);
    if (status != FRESHET_OK)
        return status;
    *out = new_fan(worker, address, topic);
    if (*out == NULL) {
        fr_topics_release(topics, topic);
        return FRESHET_NO_MEMORY;
    }
    if (address->loader->options.messages)
        status = fr_message_feed_new(*out, &(*out)->messages);
    if (status != FRESHET_OK)
        close_fan(*out);
    return status;
}

static void schedule_sweep(struct fr_fan *fan)
{
    if (!fr_list_is_empty(&fan->behind))
        fr_worker_queue(fan->worker, &fan->sweep);
}

void fr_fan_wake(struct fr_fan *fan)
{
    fr_list_splice(&fan->behind, &fan->told);
    schedule_sweep(fan);
}

/* It has all there is, but for an error in force and a gap it brings with it. */
static void join_messages(struct fr_fan *fan, struct fr_view *view)
{
    fr_message_feed_join(fan->messages, view);
    bool has_all = fan->show.error == NULL && !view->message_gap;
    fr_list_append(has_all ? &fan->told : &fan->behind, &view->link);
    schedule_sweep(fan);
    if (fan->views == 1)
        fr_subscription_pull(fan->messages->subscription);
}

void fr_fan_join(struct fr_fan *fan, struct fr_view *view)
{
    view->fan = fan;
    fan->views++;
    fan->worker->views++;
    atomic_fetch_add_explicit(&fan->topic->streams, 1, memory_order_relaxed);
    if (fan->messages != NULL) {
        join_messages(fan, view);
        return;
    }
    view->joining = true;
    fr_list_append(&fan->joining, &view->link);
    ask(fan);
}

static void close_fan(struct fr_fan *fan)
{
    fan->closed = true;
    if (fr_loader_shares(fan->address->loader))
        fr_map_remove(&fan->worker->fans, &fan->node);
    fr_message_feed_destroy(fan->messages);
    fr_list_remove(&fan->sweep.link);
    release_show(&fan->show);
    forget_named(fan);
    if (fan->home != NULL) {
        pthread_mutex_lock(&fan->lock);
        fan->leaves = true;
        post_to_feed(fan); /* refused: its home has let go of it already */
        pthread_mutex_unlock(&fan->lock);
    }
    release(fan);
}

void fr_fan_part(struct fr_fan *fan, struct fr_view *view)
{
    fr_list_remove(&view->link);
    if (fan->messages != NULL)
        fr_message_feed_part(fan->messages, view);
    view->fan = NULL;
    fan->worker->views--;
    atomic_fetch_sub_explicit(&fan->topic->streams, 1, memory_order_relaxed);
    if (--fan->views == 0)
        close_fan(fan);
}

/* Those not reached yet stay first, so nobody is ever more than two sweeps behind. What is shown again only
 * for those who join costs the others nothing. */
static void take_show(struct fr_fan *fan, struct fr_show *show, bool answers)
{
    bool news =
        show->snapshot_number != fan->show.snapshot_number || show->error_number != fan->show.error_number;
    release_show(&fan->show);
    fan->show = *show;
    if (fan->plain != show->snapshot && fan->plain != show->error)
        forget_named(fan);
    if (news)
        fr_list_splice(&fan->behind, &fan->told);
    for (struct fr_list *link; answers && (link = fr_list_shift(&fan->joining)) != NULL;) {
        FR_CONTAINER(link, struct fr_view, link)->joining = false;
        fr_list_append(&fan->behind, link);
    }
    schedule_sweep(fan);
}

/* The numbers of a new feed begin anew, so all views join again. */
static void find_another_feed(struct fr_fan *fan)
{
    set_home(fan, NULL);
    release_show(&fan->show);
    fr_list_splice(&fan->joining, &fan->behind);
    fr_list_splice(&fan->joining, &fan->told);
    fr_list_remove(&fan->sweep.link);
    for (struct fr_list *link = fan->joining.next; link != &fan->joining; link = link->next) {
        struct fr_view *view = FR_CONTAINER(link, struct fr_view, link);
        view->joining = true;
        view->snapshot_seen = view->error_seen = 0;
    }
    ask(fan);
}

/* The views stay until their streams close them, so that these can still say which topic they showed. The
 * home stays too: it may have served a later ask, and then has to hear that the last view has left. */
static void end_views(struct fr_fan *fan, enum freshet_close_reason reason)
{
    struct fr_list lost;
    fr_list_init(&lost);
    fr_list_splice(&lost, &fan->joining);
    fr_list_splice(&lost, &fan->behind);
    fr_list_splice(&lost, &fan->told);
    fr_list_remove(&fan->sweep.link);
    for (struct fr_list *link; (link = fr_list_shift(&lost)) != NULL;) {
        struct fr_view *view = FR_CONTAINER(link, struct fr_view, link);
        view->joining = true; /* for what will not come */
        fr_list_append(&fan->told, link);
        fan->worker->host.view_lost(view, reason);
    }
}

static void deliver_to_views(struct fr_mail *mail)
{
    struct fr_fan *fan = FR_CONTAINER(mail, struct fr_fan, to_views);
    pthread_mutex_lock(&fan->lock);
    struct fr_show show = fan->next;
    bool has_show = fan->has_show, answers = fan->answers, lost = fan->lost;
    enum freshet_close_reason reason = fan->lost_reason;
    fan->next = (struct fr_show){0};
    fan->has_show = fan->answers = fan->lost = fan->to_views_posted = false;
    pthread_mutex_unlock(&fan->lock);
    if (has_show && !lost && !fan->closed)
        take_show(fan, &show, answers);
    else
        release_show(&show);
    if (lost && !fan->closed && reason == FRESHET_CLOSE_TOPIC)
        find_another_feed(fan);
    else if (lost && !fan->closed)
        end_views(fan, reason);
    release(fan);
}

/* Tells views of what is new, at most `limit` of them. A view that is told may part, the last one too. */
static size_t sweep(struct fr_task *task, size_t limit)
{
    struct fr_fan *fan = FR_CONTAINER(task, struct fr_fan, sweep);
    struct fr_worker *worker = fan->worker;
    struct fr_list *link;
    size_t told = 0;
    acquire(fan);
    while (told < limit && !fan->closed && (link = fr_list_shift(&fan->behind)) != NULL) {
        fr_list_append(&fan->told, link);
        told++;
        worker->host.view_ready(FR_CONTAINER(link, struct fr_view, link));
    }
    if (!fan->closed && fr_list_is_empty(&fan->behind) && fan->messages != NULL)
        fr_message_feed_swept(fan->messages);
    if (!fan->closed)
        schedule_sweep(fan);
    release(fan);
    return told;
}

struct fr_bytes *fr_fan_name(struct fr_fan *fan, struct fr_bytes *frame, const char *name)
{
    if (fan->plain == frame && strcmp(fan->name, name) == 0)
        return fr_bytes_acquire(fan->named);
    struct fr_bytes *named = fr_frame_named(frame, freshet_span_text(name));
    char *copy = named == NULL ? NULL : strdup(name);
    if (copy == NULL)
        return named;
    forget_named(fan);
    fan->plain = fr_bytes_acquire(frame); /* held, so that no other can be at its address */
    fan->named = fr_bytes_acquire(named);
    fan->name = copy;
    return named;
}

struct fr_view *fr_fan_only_view(const struct fr_fan *fan)
{
    const struct fr_list *lists[] = {&fan->joining, &fan->behind, &fan->told};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (!fr_list_is_empty(lists[i]))
            return FR_CONTAINER(lists[i]->next, struct fr_view, link);
    return NULL;
}

void fr_fan_admitted(struct fr_fan *fan)
{
    if (fan->feed != NULL)
        fr_feed_admitted(fan->feed);
}

/* ---- the feed's side ---- */

/* Under the lock. */
static void post_to_views(struct fr_fan *fan)
{
    if (fan->to_views_posted)
        return;
    acquire(fan);
    fan->to_views_posted = fr_mailbox_post(&fan->worker->mailbox, &fan->to_views);
    if (!fan->to_views_posted)
        fr_refcount_release(&fan->references); /* its streams are gone */
}

void fr_fan_show(struct fr_fan *fan, const struct fr_show *show, bool answers)
{
    if (show->snapshot != NULL)
        fr_bytes_acquire(show->snapshot);
    if (show->error != NULL)
        fr_bytes_acquire(show->error);
    pthread_mutex_lock(&fan->lock);
    struct fr_show replaced = fan->next;
    fan->next = *show;
    fan->has_show = true;
    fan->answers |= answers;
    post_to_views(fan);
    pthread_mutex_unlock(&fan->lock);
    release_show(&replaced);
}

static void tell_lost(struct fr_fan *fan, enum freshet_close_reason reason)
{
    pthread_mutex_lock(&fan->lock);
    fan->lost = true;
    fan->lost_reason = reason;
    post_to_views(fan);
    pthread_mutex_unlock(&fan->lock);
}

void fr_fan_lose(struct fr_fan *fan, enum freshet_close_reason reason)
{
    tell_lost(fan, reason);
    release(fan);
}

static void serve(struct fr_fan *fan, struct fr_worker *home)
{
    struct fr_feed *feed = fan->feed;
    if (feed == NULL) {
        enum freshet_status status =
            home->leaving ? FRESHET_CLOSED : fr_feed_get(home, fan->address, fan->topic, &feed);
        if (status != FRESHET_OK) {
            tell_lost(fan, home->leaving ? FRESHET_CLOSE_TOPIC : FRESHET_CLOSE_NO_MEMORY);
            return;
        }
        acquire(fan); /* the feed's */
    }
    fr_feed_ask(feed, fan);
}

static void deliver_to_feed(struct fr_mail *mail)
{
    struct fr_fan *fan = FR_CONTAINER(mail, struct fr_fan, to_feed);
    pthread_mutex_lock(&fan->lock);
    bool asks = fan->asks, leaves = fan->leaves;
    struct fr_worker *home = fan->asked; /* this one; fan->home may be another by now */
    fan->asks = fan->to_feed_posted = false;
    pthread_mutex_unlock(&fan->lock);
    if (leaves && fan->feed != NULL) {
        fr_feed_detach(fan->feed, fan);
        release(fan); /* the feed's */
    } else if (asks && !leaves) {
        serve(fan, home);
    }
    release(fan);
}
