/* Publishes of messages made of declared fields. */
#include "core/publish.h"
#include "core/runtime/context.h"
#include <freshet/typed.h>
#include <stdlib.h>

#define SMALL_PAYLOAD 512

enum freshet_status freshet_fields_publish(struct freshet *freshet, const struct freshet_topic *topic,
                                           const struct freshet_fields *fields, const void *message,
                                           freshet_published_cb published, void *user)
{
    char small[SMALL_PAYLOAD], *room = small;
    size_t len = 0;
    enum freshet_status status = fr_freshet_check(freshet);
    if (status != FRESHET_OK)
        return status;
    status = freshet_fields_encode(fields, message, small, sizeof(small), &len, NULL);
    /* Over the limit of a message no memory is asked for. */
    if (status == FRESHET_TOO_LARGE && len <= freshet->options.max_message_bytes) {
        size_t needed = len;
        room = malloc(needed);
        status = room == NULL ? FRESHET_NO_MEMORY
                              : freshet_fields_encode(fields, message, room, needed, &len, NULL);
    }
    status = status == FRESHET_OK ? freshet_publish(freshet, topic, freshet_span(room, len), published, user)
                                  : fr_publish_refuse(freshet, topic, status, published, user);
    if (room != small)
        free(room);
    return status;
}
