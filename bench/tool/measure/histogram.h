/* Counts values in log-linear buckets: each power of two is cut into 128 equal parts, so that a value is
 * known to 1/128 of itself whatever its size; below 256 it is exact. Meant for nanoseconds: values over
 * HISTOGRAM_MAX (73 minutes) are counted as that.
 *
 * One process writes; others may read at the same time and see each count whole, though not all counts of the
 * same moment. Zeroed memory is an empty histogram. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_PART_BITS = 7, HISTOGRAM_PARTS = 1 << HISTOGRAM_PART_BITS, HISTOGRAM_BITS = 42 };
enum { HISTOGRAM_BUCKETS = (HISTOGRAM_BITS - HISTOGRAM_PART_BITS + 1) * HISTOGRAM_PARTS };
#define HISTOGRAM_MAX ((UINT64_C(1) << HISTOGRAM_BITS) - 1)

struct histogram {
    uint64_t count, sum, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Where a value is counted, and the highest value that is counted there. */
unsigned histogram_bucket(uint64_t value);
uint64_t histogram_bucket_top(unsigned bucket);

/* Negative values count as 0. */
void histogram_record(struct histogram *histogram, int64_t value);

/* Adds what `from` holds. `from` may be written at the same time. */
void histogram_add(struct histogram *into, const struct histogram *from);

/* What came to `now` since it was `before`. The greatest value is then known only to its bucket. */
void histogram_since(struct histogram *out, const struct histogram *now, const struct histogram *before);

/* The value that `percent` (0 to 100) of the values are not above: at most 1/128 too high, never too low,
 * never above the greatest. 0 when empty. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

#endif
