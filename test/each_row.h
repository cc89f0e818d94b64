/* A test with a table: it runs once for each row, in a process of its own each time. The body finds its row's
 * number in
 * `*number`. */
#ifndef TEST_EACH_ROW_H
#define TEST_EACH_ROW_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stddef.h>

#define EACH_ROW(suite, name, rows)                                                                          \
    ParameterizedTestParameters(suite, name)                                                                 \
    {                                                                                                        \
        static size_t numbers[sizeof(rows) / sizeof((rows)[0])];                                             \
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)                                    \
            numbers[i] = i;                                                                                  \
        return cr_make_param_array(size_t, numbers, sizeof(numbers) / sizeof(numbers[0]), NULL);             \
    }                                                                                                        \
    ParameterizedTest(size_t *number, suite, name, .timeout = 120)

#endif
