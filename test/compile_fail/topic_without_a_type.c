#include "channels.h"

int use(struct freshet *freshet)
{
    static struct counter_topic topic;
    (void)freshet;
    int failed = counter_publish(freshet, &topic, NULL, NULL) != FRESHET_OK;
#ifdef WRONG
    /* wrong: */
    failed += counter_publish(freshet, &topic.topic, NULL, NULL);
#endif
    return failed;
}
