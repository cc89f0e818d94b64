#include "bus/redis/proto/address.h"

#include "base/log.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

bool fr_redis_address_set(struct fr_redis_address *address, struct freshet_span name, uint16_t port)
{
    if (name.len == 0 || name.len >= sizeof(address->name) || memchr(name.data, '\0', name.len) != NULL)
        return false;
    *address = (struct fr_redis_address){.port = port};
    memcpy(address->name, name.data, name.len);
    return true;
}

bool fr_redis_address_equal(const struct fr_redis_address *a, const struct fr_redis_address *b)
{
    return a->port == b->port && strcmp(a->name, b->name) == 0;
}

struct fr_redis_address_text fr_redis_address_text(const struct fr_redis_address *address)
{
    struct fr_redis_address_text text;
    struct fr_escaped name = fr_escape(freshet_span_text(address->name));
    bool needs_brackets = address->port != 0 && strchr(address->name, ':') != NULL;
    int len = snprintf(text.text, sizeof(text.text), needs_brackets ? "[%s]" : "%s", name.text);
    if (address->port != 0)
        snprintf(text.text + len, sizeof(text.text) - (size_t)len, ":%u", (unsigned)address->port);
    return text;
}

bool fr_redis_address_read_port(struct freshet_span digits, uint16_t *port)
{
    uint64_t value;
    if (!fr_text_read_number(digits, UINT16_MAX, &value))
        return false;
    *port = (uint16_t)value;
    return value > 0;
}
