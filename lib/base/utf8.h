/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef FR_UTF8_H
#define FR_UTF8_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>

/* How many bytes the character at the start of `text` has, which is not empty. When it is not well-formed
 * *valid is false, and that many bytes are what a decoder replaces with one U+FFFD. */
size_t fr_utf8_next(struct freshet_span text, bool *valid);
bool fr_utf8_valid(struct freshet_span text);

#endif
