#include "buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fr_buffer_deinit(struct fr_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct fr_buffer){0};
}

char *fr_buffer_reserve(struct fr_buffer *buffer, size_t len)
{
    if (buffer->failed)
        return NULL;
    if (len > SIZE_MAX / 2 - buffer->len) {
        buffer->failed = true;
        return NULL;
    }
    if (buffer->capacity - buffer->len < len) {
        size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
        while (capacity - buffer->len < len)
            capacity *= 2;
        char *data = realloc(buffer->data, capacity);
        if (data == NULL) {
            buffer->failed = true;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->len;
}

void fr_buffer_append(struct fr_buffer *buffer, struct freshet_span span)
{
    char *room = span.len == 0 ? NULL : fr_buffer_reserve(buffer, span.len);
    if (room == NULL)
        return;
    memcpy(room, span.data, span.len);
    buffer->len += span.len;
}

void fr_buffer_print(struct fr_buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    char *room = len < 0 ? NULL : fr_buffer_reserve(buffer, (size_t)len + 1);
    if (room != NULL) {
        vsnprintf(room, (size_t)len + 1, format, again);
        buffer->len += (size_t)len;
    }
    va_end(again);
    va_end(arguments);
}
