/* A fanout on the side of its feed, on the feed's worker. */
#include "core/hub/fanout_internal.h"
#include "core/hub/feed.h"

/* Under the lock. */
static void post_to_views(struct fr_fanout *fanout)
{
    if (fanout->to_views_posted)
        return;
    fr_fanout_acquire(fanout);
    fanout->to_views_posted = fr_mailbox_post(&fanout->worker->mailbox, &fanout->to_views);
    if (!fanout->to_views_posted)
        fr_refcount_release(&fanout->references); /* its streams are gone */
}

void fr_fanout_update(struct fr_fanout *fanout, const struct fr_update *update, bool answers)
{
    if (update->snapshot != NULL)
        fr_snapshot_acquire(update->snapshot);
    if (update->error != NULL)
        fr_bytes_acquire(update->error);
    pthread_mutex_lock(&fanout->lock);
    struct fr_update replaced = fanout->next;
    fanout->next = *update;
    fanout->has_update = true;
    fanout->answers |= answers;
    post_to_views(fanout);
    pthread_mutex_unlock(&fanout->lock);
    fr_update_release(&replaced);
}

static void tell_loss(struct fr_fanout *fanout, enum fr_feed_loss loss)
{
    pthread_mutex_lock(&fanout->lock);
    fanout->loss = loss;
    post_to_views(fanout);
    pthread_mutex_unlock(&fanout->lock);
}

void fr_fanout_lose(struct fr_fanout *fanout)
{
    tell_loss(fanout, FR_FEED_MOVED);
    fr_fanout_release(fanout);
}

static void serve(struct fr_fanout *fanout, struct fr_worker *home)
{
    struct fr_feed *feed = fanout->feed;
    if (feed == NULL) {
        if (home->leaving) {
            tell_loss(fanout, FR_FEED_MOVED);
            return;
        }
        if (fr_feed_get(home, fanout->key, fanout->topic, &feed) != FRESHET_OK) {
            tell_loss(fanout, FR_FEED_NO_MEMORY);
            return;
        }
        fr_fanout_acquire(fanout); /* the feed's */
    }
    fr_feed_ask(feed, fanout);
}

void fr_fanout_deliver_to_feed(struct fr_mail *mail)
{
    struct fr_fanout *fanout = FR_CONTAINER(mail, struct fr_fanout, to_feed);
    pthread_mutex_lock(&fanout->lock);
    bool asks = fanout->asks, leaves = fanout->leaves;
    struct fr_worker *home = fanout->posted_to; /* this one; fanout->home may be another by now */
    fanout->asks = fanout->to_feed_posted = false;
    pthread_mutex_unlock(&fanout->lock);
    if (leaves && fanout->feed != NULL) {
        fr_feed_detach(fanout->feed, fanout);
        fr_fanout_release(fanout); /* the feed's */
    } else if (asks && !leaves) {
        serve(fanout, home);
    }
    fr_fanout_release(fanout);
}
