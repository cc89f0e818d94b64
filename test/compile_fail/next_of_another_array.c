#include "channels.h"

int use(struct freshet *freshet)
{
    static struct board_topic topic;
    static struct board_message message;
    struct point at;
    point_next(&message.path, &at);
    (void)freshet;
    int failed = board_publish(freshet, &topic, &message, NULL, NULL) != FRESHET_OK;
#ifdef WRONG
    /* wrong: */
    failed += point_next(&message.labels, &at);
#endif
    return failed;
}
