#include "bus/redis/cluster/slot.h"

#include <assert.h>
#include <freshet/redis.h>
#include <stdio.h>
#include <string.h>

#define SLOTS_OF_A_PARTITION (FR_REDIS_SLOTS / FR_REDIS_PARTITIONS)

/* CRC16 of XMODEM: polynomial 0x1021, nothing before and nothing behind. */
static uint16_t crc16(struct freshet_span text)
{
    unsigned crc = 0;
    for (size_t i = 0; i < text.len; i++) {
        crc ^= (unsigned)(unsigned char)text.data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
    }
    return (uint16_t)crc;
}

static struct freshet_span hashed_part(struct freshet_span key)
{
    const char *open = key.len == 0 ? NULL : memchr(key.data, '{', key.len);
    if (open == NULL)
        return key;
    size_t rest = key.len - (size_t)(open + 1 - key.data);
    const char *close = memchr(open + 1, '}', rest);
    return close == NULL || close == open + 1 ? key : freshet_span(open + 1, (size_t)(close - open - 1));
}

uint16_t fr_redis_slot_of(struct freshet_span key)
{
    return crc16(hashed_part(key)) % FR_REDIS_SLOTS;
}

unsigned fr_redis_partition_of(struct freshet_span topic)
{
    return fr_redis_slot_of(topic) / SLOTS_OF_A_PARTITION;
}

unsigned fr_redis_partition_tag(unsigned partition)
{
    char digits[16];
    assert(partition < FR_REDIS_PARTITIONS);
    for (unsigned tag = 0;; tag++) {
        int len = snprintf(digits, sizeof(digits), "%u", tag);
        if (fr_redis_partition_of(freshet_span(digits, (size_t)len)) == partition)
            return tag;
    }
}

size_t freshet_redis_cluster_channel(char *channel, size_t size, const char *prefix,
                                     struct freshet_span topic)
{
    if (prefix == NULL)
        prefix = "freshet:";
    if (topic.data == NULL)
        topic = freshet_span_text("");
    unsigned tag = fr_redis_partition_tag(fr_redis_partition_of(topic));
    int len =
        snprintf(channel, channel == NULL ? 0 : size, "%s{%u}%.*s", prefix, tag, (int)topic.len, topic.data);
    return (size_t)len;
}
