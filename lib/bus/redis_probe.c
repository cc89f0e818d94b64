#include "bus/redis_probe.h"

#include <inttypes.h>
#include <stdio.h>

void fr_redis_probe_init(struct fr_redis_probe *probe)
{
    *probe = (struct fr_redis_probe){.seen_us = -1};
}

bool fr_redis_probe_check(struct fr_redis_probe *probe)
{
    if (probe->sent == probe->seen) {
        probe->missed = 0;
        return true;
    }
    probe->missed++;
    return false;
}

struct freshet_span fr_redis_probe_next(struct fr_redis_probe *probe)
{
    snprintf(probe->text, sizeof(probe->text), "%" PRIu64, ++probe->sent);
    return freshet_span_text(probe->text);
}

void fr_redis_probe_forget(struct fr_redis_probe *probe)
{
    probe->seen = probe->sent;
    probe->missed = 0;
}

/* As it was written, and nothing else. */
static bool read_number(struct freshet_span text, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *number = *number * 10 + (uint64_t)(text.data[i] - '0');
    }
    return text.len > 0 && text.len < 20 && text.data[0] != '0';
}

bool fr_redis_probe_take(struct fr_redis_probe *probe, struct freshet_span body, int64_t now_us)
{
    uint64_t number;
    if (!read_number(body, &number) || number <= probe->seen || number > probe->sent)
        return false;
    probe->seen = number;
    probe->missed = 0;
    probe->seen_us = now_us;
    return true;
}
