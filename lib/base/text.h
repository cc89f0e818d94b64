/* Pieces of text, as headers, cookies, paths and URLs are made of. Nothing is copied. */
#ifndef FR_TEXT_H
#define FR_TEXT_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stdint.h>

/* Without spaces and tabs at both ends. */
struct freshet_span fr_text_trim(struct freshet_span text);
/* Takes what is before the first `separator` off `rest`, and the separator; without one, all of it. */
struct freshet_span fr_text_cut(struct freshet_span *rest, char separator);
/* Whether these are its first bytes. */
bool fr_text_begins(struct freshet_span text, const char *words);
/* Reads a number that has digits and nothing else. False: it has not, or is over `max`. */
bool fr_text_read_number(struct freshet_span digits, uint64_t max, uint64_t *number);
/* The value of a hexadecimal digit of either case; -1: it is none. */
int fr_text_hex_value(char digit);
/* Whether it names a header as options have to: in lower case, of letters, digits, '-' and '_'. NULL does
 * not. */
bool fr_text_is_header_name(const char *name);
/* Writes two lower-case digits for each byte. Returns the end. */
char *fr_text_put_hex(char *to, const void *bytes, size_t count);

#endif
