#include "channels.h"

#ifdef WRONG
/* wrong: */
FRESHET_CHANNEL(chat, "chat/:room", (param(room)), array(array(text(lines))));
#endif

int use(struct freshet *freshet)
{
    static struct counter_topic topic;
    return counter_publish(freshet, &topic, NULL, NULL) != FRESHET_OK;
}
