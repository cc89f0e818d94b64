#include "channels.h"

int use(struct freshet *freshet)
{
    static struct board_topic topic;
    static struct board_message message;
    static struct order_message other;
    (void)other;
    (void)freshet;
    int failed = board_publish(freshet, &topic, &message, NULL, NULL) != FRESHET_OK;
#ifdef WRONG
    /* wrong: */
    failed += board_publish(freshet, &topic, &other, NULL, NULL);
#endif
    return failed;
}
