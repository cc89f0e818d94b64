#include "channels.h"

int use(struct freshet *freshet)
{
    static struct board_topic topic;
    static struct order_topic other;
    (void)other;
    (void)freshet;
    int failed = board_key(&topic, "b1", NULL) != FRESHET_OK;
#ifdef WRONG
    /* wrong: */
    failed += board_key(&other, "b1", NULL);
#endif
    return failed;
}
