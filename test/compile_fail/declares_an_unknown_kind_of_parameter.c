#include "channels.h"

#ifdef WRONG
/* wrong: */
FRESHET_SIGNAL(chat, "chat/:room", (parameter(room)));
#endif

int use(struct freshet *freshet)
{
    static struct counter_topic topic;
    return counter_publish(freshet, &topic, NULL, NULL) != FRESHET_OK;
}
