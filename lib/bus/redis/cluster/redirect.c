#include "bus/redis/cluster/redirect.h"

#include "bus/redis/cluster/slot.h"
#include <string.h>

/* The text up to the next space, which is taken off `rest`. */
static struct freshet_span take_word(struct freshet_span *rest)
{
    const char *space = rest->len == 0 ? NULL : memchr(rest->data, ' ', rest->len);
    size_t len = space == NULL ? rest->len : (size_t)(space - rest->data);
    struct freshet_span word = freshet_span(rest->data, len);
    size_t skipped = space == NULL ? len : len + 1;
    *rest = freshet_span(rest->data + skipped, rest->len - skipped);
    return word;
}

static bool read_slot(struct freshet_span digits, uint16_t *slot)
{
    unsigned value = 0;
    if (digits.len == 0 || digits.len > 5)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        value = value * 10 + (unsigned)(digits.data[i] - '0');
    }
    *slot = (uint16_t)value;
    return value < FR_REDIS_SLOTS;
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
    struct freshet_span word = take_word(&error);
    if (freshet_span_equal(word, freshet_span_text("MOVED")))
        redirect.kind = FR_REDIS_REDIRECT_MOVED;
    else if (freshet_span_equal(word, freshet_span_text("ASK")))
        redirect.kind = FR_REDIS_REDIRECT_ASK;
    else
        return none;
    if (!read_slot(take_word(&error), &redirect.slot))
        return none;
    read_address(&redirect.address, take_word(&error), asked);
    return redirect;
}
