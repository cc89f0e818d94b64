#include "publish/topic.h"
#include <string.h>

/* Literals of a channel have these, and values, encoded, fewer. */
static const char allowed[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.~!$()*,;=@:'%/-";

bool topic_read(struct freshet_topic *topic, const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > FRESHET_MAX_TOPIC_BYTES || text[strspn(text, allowed)] != '\0' || text[0] == '/' ||
        text[len - 1] == '/' || strstr(text, "//") != NULL)
        return false;
    topic->len = (uint16_t)len;
    memcpy(topic->text, text, len + 1);
    return true;
}
