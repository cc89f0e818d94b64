/* bench/: the histogram of latencies. */
#include "../../bench/tool/measure/histogram.c"
#include <criterion/criterion.h>
#include <stdlib.h>

static struct histogram histogram, other, out;

static void forget(void)
{
    memset(&histogram, 0, sizeof(histogram));
    memset(&other, 0, sizeof(other));
}

TestSuite(bench_histogram, .init = forget);

Test(bench_histogram, knows_a_value_to_one_part_in_128)
{
    for (uint64_t value = 0; value < HISTOGRAM_MAX; value += value / 37 + 1) {
        unsigned bucket = histogram_bucket(value);
        uint64_t top = histogram_bucket_top(bucket);
        cr_assert_lt(bucket, HISTOGRAM_BUCKETS);
        cr_assert_geq(top, value);
        cr_assert_leq((top - value) * 128, value, "%lu is counted as %lu", value, top);
        cr_assert_eq(histogram_bucket(top), bucket);
        cr_assert_eq(histogram_bucket(top + 1), bucket + 1);
    }
}

Test(bench_histogram, is_exact_for_small_values)
{
    for (uint64_t value = 0; value < 256; value++)
        cr_assert_eq(histogram_bucket_top(histogram_bucket(value)), value);
}

Test(bench_histogram, counts_what_is_out_of_range_at_its_ends)
{
    histogram_record(&histogram, -5);
    histogram_record(&histogram, INT64_MAX);
    cr_assert_eq(histogram.count, 2);
    cr_assert_eq(histogram.buckets[0], 1);
    cr_assert_eq(histogram.buckets[HISTOGRAM_BUCKETS - 1], 1);
    cr_assert_eq(histogram_percentile(&histogram, 50), 0);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

Test(bench_histogram, gives_percentiles_within_its_error_of_the_sorted_values)
{
    enum { COUNT = 20000 };
    static uint64_t values[COUNT];
    static const double percents[] = {0, 1, 50, 90, 99, 99.9, 99.99, 100};
    uint64_t seed = 1;
    for (int i = 0; i < COUNT; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        values[i] = (seed >> 33) % (UINT64_C(1) << (seed >> 59)); /* of all sizes */
        histogram_record(&histogram, (int64_t)values[i]);
    }
    qsort(values, COUNT, sizeof(values[0]), compare);
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        size_t rank = (size_t)ceil(COUNT * percents[i] / 100 - 1e-6);
        uint64_t exact = values[rank == 0 ? 0 : rank - 1],
                 got = histogram_percentile(&histogram, percents[i]);
        cr_assert(got >= exact && (got - exact) * 128 <= exact, "%g %%: %lu, not %lu", percents[i], got,
                  exact);
    }
    cr_assert_eq(histogram_percentile(&histogram, 100), values[COUNT - 1]);
}

Test(bench_histogram, is_empty_without_values)
{
    cr_assert_eq(histogram_percentile(&histogram, 99), 0);
}

Test(bench_histogram, adds_and_takes_differences)
{
    for (int i = 1; i <= 10; i++)
        histogram_record(&histogram, i * 1000);
    histogram_add(&other, &histogram);
    for (int i = 0; i < 5; i++)
        histogram_record(&histogram, 50);
    histogram_since(&out, &histogram, &other);
    cr_assert_eq(out.count, 5);
    cr_assert_eq(out.max, 50);
    cr_assert_eq(out.sum, 250);
    histogram_add(&other, &out);
    cr_assert_eq(other.count, 15);
    cr_assert_eq(other.max, 10000);
    cr_assert_eq(other.sum, 55250);
}
