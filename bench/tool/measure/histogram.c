#include "measure/histogram.h"
#include <math.h>
#include <string.h>

static uint64_t peek(const uint64_t *place)
{
    return __atomic_load_n(place, __ATOMIC_RELAXED);
}

static void put(uint64_t *place, uint64_t value)
{
    __atomic_store_n(place, value, __ATOMIC_RELAXED);
}

unsigned histogram_bucket(uint64_t value)
{
    if (value > HISTOGRAM_MAX)
        value = HISTOGRAM_MAX;
    if (value < HISTOGRAM_PARTS)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_PART_BITS;
    return shift * HISTOGRAM_PARTS + (unsigned)(value >> shift);
}

uint64_t histogram_bucket_top(unsigned bucket)
{
    if (bucket < 2 * HISTOGRAM_PARTS)
        return bucket;
    unsigned shift = bucket / HISTOGRAM_PARTS - 1;
    uint64_t part = bucket % HISTOGRAM_PARTS + HISTOGRAM_PARTS;
    return ((part + 1) << shift) - 1;
}

void histogram_record(struct histogram *histogram, int64_t value)
{
    uint64_t counted = value < 0 ? 0 : (uint64_t)value;
    uint64_t *bucket = &histogram->buckets[histogram_bucket(counted)];
    put(bucket, *bucket + 1);
    put(&histogram->count, histogram->count + 1);
    put(&histogram->sum, histogram->sum + counted);
    if (counted > histogram->max)
        put(&histogram->max, counted);
}

void histogram_add(struct histogram *into, const struct histogram *from)
{
    uint64_t max = peek(&from->max);
    into->sum += peek(&from->sum);
    if (max > into->max)
        into->max = max;
    /* Counted from the buckets, so that the total fits them while somebody writes. */
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = peek(&from->buckets[i]);
        into->buckets[i] += count;
        into->count += count;
    }
}

void histogram_since(struct histogram *out, const struct histogram *now, const struct histogram *before)
{
    memset(out, 0, sizeof(*out));
    out->sum = now->sum - before->sum;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        out->buckets[i] = now->buckets[i] - before->buckets[i];
        out->count += out->buckets[i];
        if (out->buckets[i] > 0)
            out->max = histogram_bucket_top(i);
    }
    if (out->max > now->max)
        out->max = now->max;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    uint64_t seen = 0, wanted = (uint64_t)ceil((double)histogram->count * percent / 100 - 1e-6);
    if (histogram->count == 0)
        return 0;
    if (wanted == 0)
        wanted = 1;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= wanted) {
            uint64_t top = histogram_bucket_top(i);
            return top < histogram->max ? top : histogram->max;
        }
    }
    return histogram->max;
}
