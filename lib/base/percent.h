/* Percent-encoded UTF-8, read one character at a time, so that nothing is allocated. */
#ifndef FR_PERCENT_H
#define FR_PERCENT_H

#include <freshet/span.h>
#include <freshet/status.h>
#include <stdbool.h>
#include <stddef.h>

struct fr_percent {
    struct freshet_span rest; /* not looked at yet */
    bool plus_is_space;
    char ahead[4]; /* decoded; the first `taken` bytes have been handed out */
    size_t len, taken;
};

/* `text` must outlive the reader. */
void fr_percent_init(struct fr_percent *reader, struct freshet_span text, bool plus_is_space);

/* The next character, 1 to 4 bytes; it lives in the reader until the next call. FRESHET_NOT_FOUND: the end.
 * FRESHET_INVALID: a '%' without two hex digits, or no UTF-8; may also be told up to three bytes early. */
enum freshet_status fr_percent_next(struct fr_percent *reader, struct freshet_span *character);

#endif
