/* JSON strings. Format: RFC 8259, 7. */
#ifndef FR_JSON_H
#define FR_JSON_H

#include "base/buffer.h"
#include <freshet/span.h>

/* Appends `text` as a JSON string, its quotes included. Bytes that are not UTF-8 become U+FFFD. */
void fr_json_string(struct fr_buffer *buffer, struct freshet_span text);

#endif
