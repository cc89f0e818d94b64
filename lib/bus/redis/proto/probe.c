#include "bus/redis/proto/probe.h"

#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>

void fr_redis_probe_init(struct fr_redis_probe *probe, int64_t in_time_us)
{
    *probe = (struct fr_redis_probe){.in_time_us = in_time_us, .seen_us = -1};
}

enum fr_redis_probe_state fr_redis_probe_state(const struct fr_redis_probe *probe)
{
    if (probe->sent == probe->seen)
        return FR_REDIS_PROBE_BACK;
    return probe->sent == probe->accepted ? FR_REDIS_PROBE_ACCEPTED : FR_REDIS_PROBE_HELD;
}

struct freshet_span fr_redis_probe_next(struct fr_redis_probe *probe, int64_t now_us)
{
    snprintf(probe->text, sizeof(probe->text), "%" PRIu64, ++probe->sent);
    probe->sent_us = now_us;
    probe->late = probe->wanted = false;
    return freshet_span_text(probe->text);
}

void fr_redis_probe_accept(struct fr_redis_probe *probe, uint64_t number)
{
    if (number > probe->accepted)
        probe->accepted = number;
}

bool fr_redis_probe_check(struct fr_redis_probe *probe, uint64_t number)
{
    if (number <= probe->seen)
        return true;
    probe->missed++;
    return false;
}

void fr_redis_probe_forget(struct fr_redis_probe *probe)
{
    probe->seen = probe->accepted = probe->sent;
    probe->missed = 0;
    probe->late = probe->wanted = false;
}

void fr_redis_probe_reset(struct fr_redis_probe *probe)
{
    fr_redis_probe_forget(probe);
    probe->seen_us = -1;
}

bool fr_redis_probe_read(struct freshet_span body, uint64_t *number)
{
    return fr_text_read_number(body, UINT64_MAX, number) && body.data[0] != '0';
}

bool fr_redis_probe_take(struct fr_redis_probe *probe, uint64_t number, int64_t now_us)
{
    if (number <= probe->seen || number > probe->sent)
        return false;
    probe->seen = number;
    probe->missed = 0;
    if (now_us - probe->sent_us <= probe->in_time_us)
        probe->seen_us = now_us;
    return true;
}
