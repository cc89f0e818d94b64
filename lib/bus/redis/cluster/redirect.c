#include "bus/redis/cluster/redirect.h"

#include "base/text.h"
#include "bus/redis/cluster/slot.h"
#include <string.h>

static bool read_slot(struct freshet_span digits, uint16_t *slot)
{
    uint64_t value;
    if (!fr_text_read_number(digits, FR_REDIS_SLOTS - 1, &value))
        return false;
    *slot = (uint16_t)value;
    return true;
}

/* The port stands behind the last colon: an IPv6 address comes without brackets. */
static void read_address(struct fr_redis_address *address, struct freshet_span text,
                         const struct fr_redis_address *asked)
{
    const char *colon = text.len == 0 ? NULL : memrchr(text.data, ':', text.len);
    uint16_t port;
    if (colon == NULL)
        return;
    struct freshet_span host = freshet_span(text.data, (size_t)(colon - text.data));
    if (!fr_redis_address_read_port(freshet_span(colon + 1, text.len - host.len - 1), &port))
        return;
    if (host.len == 0)
        host = freshet_span_text(asked->name);
    if (!freshet_span_equal(host, freshet_span_text("?")))
        fr_redis_address_set(address, host, port);
}

struct fr_redis_redirect fr_redis_redirect_read(struct freshet_span error,
                                                const struct fr_redis_address *asked)
{
    struct fr_redis_redirect redirect = {.kind = FR_REDIS_REDIRECT_NONE}, none = redirect;
    struct freshet_span word = fr_text_cut(&error, ' ');
    if (freshet_span_equal(word, freshet_span_text("MOVED")))
        redirect.kind = FR_REDIS_REDIRECT_MOVED;
    else if (freshet_span_equal(word, freshet_span_text("ASK")))
        redirect.kind = FR_REDIS_REDIRECT_ASK;
    else
        return none;
    if (!read_slot(fr_text_cut(&error, ' '), &redirect.slot))
        return none;
    read_address(&redirect.address, fr_text_cut(&error, ' '), asked);
    return redirect;
}
