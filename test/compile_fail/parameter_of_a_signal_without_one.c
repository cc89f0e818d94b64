#include "channels.h"

int use(struct freshet *freshet)
{
    static struct counter_topic topic;
    (void)freshet;
    int failed = counter_key(&topic, NULL) != FRESHET_OK;
#ifdef WRONG
    /* wrong: */
    failed += counter_key(&topic, "c1", NULL);
#endif
    return failed;
}
