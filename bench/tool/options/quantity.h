/* Numbers with units, as people write and read them. */
#ifndef BENCH_QUANTITY_H
#define BENCH_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum unit { UNIT_COUNT, UNIT_TIME, UNIT_RATE, UNIT_BYTES, UNIT_PERCENT };

/* `5ms`, `1.5s`, `100us`, `2m` to nanoseconds; a unit has to be there. */
bool time_parse(const char *text, int64_t *ns);

/* A number of this unit: a time; a rate with or without `/s`; bytes with or without k, M, B, KiB, MiB; `50%`.
 * Times become nanoseconds. */
bool quantity_parse(enum unit unit, const char *text, double *value);

/* What quantity_parse() takes, for messages. */
const char *quantity_example(enum unit unit);

/* For people: `1.23 ms`. */
void quantity_print(enum unit unit, double value, char *out, size_t size);

#endif
