#include "bus/redis/proto/wire.h"

#include <event2/buffer.h>
#include <stdint.h>
#include <string.h>

#define HEADER_ROOM 23 /* type, 20 digits, CR LF */

size_t fr_redis_wire_room(const struct freshet_span *arguments, size_t count)
{
    size_t room = HEADER_ROOM;
    for (size_t i = 0; i < count; i++)
        room += HEADER_ROOM + arguments[i].len + 2;
    return room;
}

static char *write_header(char *to, char type, size_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    *to++ = type;
    memcpy(to, digits + at, sizeof(digits) - at);
    to += sizeof(digits) - at;
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

char *fr_redis_wire_write(char *to, const struct freshet_span *arguments, size_t count)
{
    to = write_header(to, '*', count);
    for (size_t i = 0; i < count; i++) {
        to = write_header(to, '$', arguments[i].len);
        if (arguments[i].len > 0)
            memcpy(to, arguments[i].data, arguments[i].len);
        to += arguments[i].len;
        *to++ = '\r';
        *to++ = '\n';
    }
    return to;
}

bool fr_redis_wire_add(struct evbuffer *output, const struct freshet_span *arguments, size_t count)
{
    struct evbuffer_iovec room;
    if (evbuffer_reserve_space(output, (ev_ssize_t)fr_redis_wire_room(arguments, count), &room, 1) != 1)
        return false;
    char *begin = room.iov_base;
    room.iov_len = (size_t)(fr_redis_wire_write(begin, arguments, count) - begin);
    return evbuffer_commit_space(output, &room, 1) == 0;
}
