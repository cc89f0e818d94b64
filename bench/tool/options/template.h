/* Text with places to fill in. */
#ifndef BENCH_TEMPLATE_H
#define BENCH_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What fills the places:
 *   {topic}    the topic's own text: its number in the range of the streams' URL, or nothing
 *   {seq}      the number of the publish in its topic
 *   {time_us}  when the publish was planned, in microseconds since 1970
 *   {pad:N}    N times x
 * Everything else, other braces too, stays as it is. */
struct template_values {
    const char *topic;
    uint64_t seq;
    int64_t time_us;
};

/* Writes no more than `size` bytes, without a zero at the end; answers the length, or SIZE_MAX if it does not
 * fit. */
size_t template_fill(const char *text, const struct template_values *values, char *out, size_t size);

/* The range `{A..B}` of a URL; zeros at the front of A set the width. */
struct range {
    size_t begin, end; /* of the braces in the text; equal: no range, one topic with an empty text */
    uint64_t first, count;
    unsigned width;
};

/* False: a range that is none, such as {5..1}, or two of them. */
bool range_find(struct range *range, const char *text);

/* The text of topic `number`, counted from 0. */
void range_topic(const struct range *range, uint64_t number, char *out, size_t size);

/* The text with the range replaced by topic `number`; false: it does not fit. */
bool range_fill(const struct range *range, const char *text, uint64_t number, char *out, size_t size);

#endif
