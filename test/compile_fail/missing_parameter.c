#include "channels.h"

int use(struct freshet *freshet)
{
    static struct board_topic topic;
    (void)freshet;
    int failed = board_key(&topic, "b1", NULL) != FRESHET_OK;
#ifdef WRONG
    /* wrong: */
    failed += board_key(&topic, NULL);
#endif
    return failed;
}
