#include "channels.h"

int use(struct freshet *freshet)
{
    static struct counter_topic topic;
    static struct board_message message;
    (void)message;
    (void)freshet;
    int failed = counter_publish(freshet, &topic, NULL, NULL) != FRESHET_OK;
#ifdef WRONG
    /* wrong: */
    failed += counter_publish(freshet, &topic, &message, NULL);
#endif
    return failed;
}
