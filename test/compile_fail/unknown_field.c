#include "channels.h"

int use(struct freshet *freshet)
{
    static struct board_topic topic;
    static struct board_message message;
    message.to = freshet_span_text("done");
    (void)freshet;
    int failed = board_publish(freshet, &topic, &message, NULL, NULL) != FRESHET_OK;
#ifdef WRONG
    /* wrong: */
    failed += (int)message.too.len;
#endif
    return failed;
}
