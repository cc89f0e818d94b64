/* Declarations with every kind of field, for the tests of typed channels, the fuzzer and the peer of
 * e2e/typed_test.py. */
#ifndef TEST_TYPED_KINDS_H
#define TEST_TYPED_KINDS_H

#include <freshet/typed.h>

FRESHET_MESSAGE(point, float64(x), float64(y), optional(text(name)));
FRESHET_MESSAGE(line, text(colour), array(message(point, points)));

FRESHET_CHANNEL(kinds, "kinds/:id", (param(id)), boolean(yes), int64(number), uint64(size), float64(ratio),
                text(title), bytes(blob), message(point, at));

FRESHET_CHANNEL(maybe, "maybe/:id?", (optional(id)), optional(boolean(yes)), optional(int64(number)),
                optional(uint64(size)), optional(float64(ratio)), optional(text(title)),
                optional(bytes(blob)), optional(message(point, at)), optional(array(int64(numbers))));

FRESHET_CHANNEL(lists, "lists/:path+", (rest(path)), array(boolean(answers)), array(int64(numbers)),
                array(uint64(sizes)), array(float64(ratios)), array(text(titles)), array(bytes(blobs)),
                array(message(line, lines)));

#endif
