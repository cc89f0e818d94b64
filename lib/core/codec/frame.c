#include "core/codec/frame.h"

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define CRLF       "\r\n"
#define DIFFERENCE "event: difference\n"
/* Hex digits of a size and CRLF. */
#define CHUNK_HEAD_BYTES (2 * sizeof(size_t) + 2)

/* Goes through bytes line by line. The next CR and the next LF are each looked for once, so that long lines
 * cost two scans at memchr's speed however seldom the other one comes. */
struct lines {
    const char *at, *end, *cr, *lf;
    bool more; /* a line begins at `at`, maybe an empty one */
};

static const char *find(const char *at, const char *end, char byte)
{
    const char *found = at == end ? NULL : memchr(at, byte, (size_t)(end - at));
    return found == NULL ? end : found;
}

static struct lines lines_of(struct freshet_span bytes)
{
    const char *at = bytes.len == 0 ? "" : bytes.data, *end = at + bytes.len;
    return (struct lines){at, end, find(at, end, '\r'), find(at, end, '\n'), true};
}

static struct freshet_span next_line(struct lines *lines)
{
    const char *start = lines->at, *stop = lines->cr < lines->lf ? lines->cr : lines->lf;
    lines->more = stop != lines->end;
    if (lines->more) {
        bool both = *stop == '\r' && lines->lf == stop + 1 && lines->lf != lines->end;
        lines->at = stop + (both ? 2 : 1);
        if (lines->cr < lines->at)
            lines->cr = find(lines->at, lines->end, '\r');
        if (lines->lf < lines->at)
            lines->lf = find(lines->at, lines->end, '\n');
    }
    return freshet_span(start, (size_t)(stop - start));
}

static char *put(char *to, struct freshet_span span)
{
    if (span.len != 0)
        memcpy(to, span.data, span.len);
    return to + span.len;
}

static char *put_text(char *to, const char *text)
{
    return put(to, freshet_span_text(text));
}

struct fr_bytes *fr_frame_new(size_t len, char **content)
{
    char head[CHUNK_HEAD_BYTES + 1];
    int head_len = snprintf(head, sizeof(head), "%zx" CRLF, len);
    struct fr_bytes *frame = fr_bytes_new((size_t)head_len + len + strlen(CRLF));
    if (frame == NULL)
        return NULL;
    *content = put(fr_bytes_room(frame), freshet_span(head, (size_t)head_len));
    memcpy(*content + len, CRLF, strlen(CRLF));
    return frame;
}

static size_t measure_lines(struct freshet_span bytes, size_t around)
{
    size_t len = 0;
    for (struct lines lines = lines_of(bytes); lines.more;)
        len += next_line(&lines).len + around;
    return len;
}

static char *put_version(char *to, const struct fr_version *version)
{
    return fr_text_put_hex(to, version->bytes, sizeof(version->bytes));
}

/* An event of `bytes` behind `head_len` bytes of other lines, to be written at *head. */
static struct fr_bytes *new_data_event(size_t head_len, struct freshet_span bytes, char **head)
{
    /* Nothing but line ends makes seven bytes of each. */
    if (bytes.len > SIZE_MAX / 16)
        return NULL;
    size_t len = head_len + measure_lines(bytes, strlen("data: \n")) + strlen("\n");
    struct fr_bytes *frame = fr_frame_new(len, head);
    if (frame == NULL)
        return NULL;
    char *to = *head + head_len;
    for (struct lines lines = lines_of(bytes); lines.more;)
        to = put_text(put(put_text(to, "data: "), next_line(&lines)), "\n");
    put_text(to, "\n");
    return frame;
}

struct fr_bytes *fr_frame_snapshot(const struct fr_version *version, struct freshet_span bytes)
{
    char *head;
    struct fr_bytes *frame = new_data_event(strlen("id: \n") + FR_VERSION_HEX, bytes, &head);
    if (frame != NULL)
        put_text(put_version(put_text(head, "id: "), version), "\n");
    return frame;
}

struct fr_bytes *fr_frame_message(struct freshet_span bytes)
{
    char *head;
    return new_data_event(0, bytes, &head);
}

/* The chunk around an event, which is given up; NULL: no memory, now or before. */
static struct fr_bytes *wrap(struct fr_buffer *event)
{
    char *to;
    struct fr_bytes *frame = event->failed ? NULL : fr_frame_new(event->len, &to);
    if (frame != NULL)
        put(to, freshet_span(event->data, event->len));
    fr_buffer_deinit(event);
    return frame;
}

struct fr_bytes *fr_frame_load_error(struct freshet_span code, struct freshet_span message)
{
    struct fr_buffer event = {0};
    fr_buffer_print(&event, "event: load-error\ndata: {\"code\":");
    fr_json_string(&event, code);
    fr_buffer_print(&event, ",\"message\":");
    fr_json_string(&event, message);
    fr_buffer_print(&event, "}\n\n");
    return wrap(&event);
}

static void print_end(struct fr_buffer *event, const struct fr_end *end)
{
    fr_buffer_print(event, "\"code\":");
    fr_json_string(event, end->code);
    if (end->retry_ms < 0)
        fr_buffer_print(event, ",\"retry_ms\":null");
    else
        fr_buffer_print(event, ",\"retry_ms\":%lld", (long long)end->retry_ms);
    if (end->location.len > 0) {
        fr_buffer_print(event, ",\"location\":");
        fr_json_string(event, end->location);
    }
    fr_buffer_print(event, "}\n\n");
}

struct fr_bytes *fr_frame_end(const struct fr_end *end)
{
    struct fr_buffer event = {0};
    fr_buffer_print(&event, "event: end\ndata: {");
    print_end(&event, end);
    return wrap(&event);
}

struct fr_bytes *fr_frame_end_view(const struct fr_end *end, struct freshet_span name, int status)
{
    struct fr_buffer event = {0};
    fr_buffer_print(&event, "event: end\ndata: {\"view\":");
    fr_json_string(&event, name);
    if (status != 0)
        fr_buffer_print(&event, ",\"status\":%d", status);
    fr_buffer_print(&event, ",");
    print_end(&event, end);
    return wrap(&event);
}

struct fr_bytes *fr_frame_difference(const struct fr_version *to, const struct fr_version *from,
                                     struct freshet_span pieces)
{
    char to_digits[FR_VERSION_HEX], from_digits[FR_VERSION_HEX];
    struct fr_buffer event = {0};
    put_version(to_digits, to);
    put_version(from_digits, from);
    fr_buffer_print(&event, "id: %.*s\n" DIFFERENCE "data: %.*s\ndata: ", FR_VERSION_HEX, to_digits,
                    FR_VERSION_HEX, from_digits);
    fr_buffer_append(&event, pieces);
    fr_buffer_append(&event, freshet_span_text("\n\n"));
    return wrap(&event);
}

struct fr_bytes *fr_frame_current(struct freshet_span name, const struct fr_version *version)
{
    char digits[FR_VERSION_HEX];
    struct fr_buffer event = {0};
    put_version(digits, version);
    fr_buffer_print(&event, "event: ");
    fr_buffer_append(&event, name);
    fr_buffer_print(&event, "\ndata: %.*s\n\n", FR_VERSION_HEX, digits);
    return wrap(&event);
}

/* Takes `text` off the beginning of `rest`; false: it does not begin so. */
static bool skip(struct freshet_span *rest, const char *text)
{
    size_t len = strlen(text);
    if (rest->len < len || memcmp(rest->data, text, len) != 0)
        return false;
    *rest = freshet_span(rest->data + len, rest->len - len);
    return true;
}

static struct freshet_span skip_line(struct freshet_span *rest)
{
    const char *end = memchr(rest->data, '\n', rest->len);
    struct freshet_span line = freshet_span(rest->data, (size_t)(end - rest->data));
    *rest = freshet_span(end + 1, rest->len - line.len - 1);
    return line;
}

/* `rest` begins behind the word that says that the event has a name. */
static void name_notice(struct fr_buffer *event, struct freshet_span *rest, struct freshet_span name)
{
    struct freshet_span kind = skip_line(rest);
    bool json = skip(rest, "data: {");
    assert(json && "events with a name have JSON");
    (void)json;
    fr_buffer_print(event, "event: %.*s\ndata: {\"view\":", (int)kind.len, kind.data);
    fr_json_string(event, name);
    fr_buffer_print(event, ",");
}

static void name_state(struct fr_buffer *event, struct freshet_span *rest, struct freshet_span name)
{
    fr_buffer_print(event, "event: ");
    fr_buffer_append(event, name);
    fr_buffer_print(event, "\ndata: ");
    if (skip(rest, "id: "))
        fr_buffer_append(event, skip_line(rest));
    if (skip(rest, DIFFERENCE "data: ")) {
        fr_buffer_print(event, " ");
        fr_buffer_append(event, skip_line(rest));
    }
    fr_buffer_print(event, "\n");
}

struct fr_bytes *fr_frame_named(const struct fr_bytes *frame, struct freshet_span name)
{
    struct freshet_span rest = fr_frame_body(frame->span);
    struct fr_buffer event = {0};
    if (skip(&rest, "event: "))
        name_notice(&event, &rest, name);
    else
        name_state(&event, &rest, name);
    fr_buffer_append(&event, rest);
    return wrap(&event);
}

/* The rest is data lines and an empty one. */
struct freshet_span fr_frame_text(const struct fr_bytes *snapshot, struct fr_buffer *lines)
{
    struct freshet_span rest = fr_frame_body(snapshot->span);
    skip_line(&rest);
    skip(&rest, "data: ");
    struct freshet_span line = skip_line(&rest);
    if (!skip(&rest, "data: "))
        return line;
    fr_buffer_append(lines, line);
    do {
        fr_buffer_append(lines, freshet_span_text("\n"));
        fr_buffer_append(lines, skip_line(&rest));
    } while (skip(&rest, "data: "));
    return freshet_span(lines->data, lines->len);
}

/* Codes have no quotes. */
struct freshet_span fr_frame_error_code(const struct fr_bytes *load_error)
{
    struct freshet_span rest = fr_frame_body(load_error->span);
    bool is_error = skip(&rest, "event: load-error\ndata: {\"code\":\"");
    assert(is_error);
    (void)is_error;
    return fr_text_cut(&rest, '"');
}

struct fr_bytes *fr_frame_gap(int64_t lost)
{
    struct fr_buffer event = {0};
    if (lost < 0)
        fr_buffer_print(&event, "event: gap\ndata: {\"lost\":null}\n\n");
    else
        fr_buffer_print(&event, "event: gap\ndata: {\"lost\":%lld}\n\n", (long long)lost);
    return wrap(&event);
}

struct fr_bytes *fr_frame_comment(struct freshet_span text)
{
    struct lines lines = lines_of(text);
    next_line(&lines);
    assert(!lines.more);
    size_t len = strlen(": \n\n") + text.len;
    char *to;
    struct fr_bytes *frame = fr_frame_new(len, &to);
    if (frame != NULL)
        put_text(put(put_text(to, ": "), text), "\n\n");
    return frame;
}

struct freshet_span fr_frame_body(struct freshet_span frame)
{
    const char *head_end = frame.len == 0 ? NULL : memchr(frame.data, '\n', frame.len);
    assert(head_end != NULL && frame.len >= (size_t)(head_end + 1 - frame.data) + strlen(CRLF));
    size_t head = (size_t)(head_end + 1 - frame.data);
    return freshet_span(frame.data + head, frame.len - head - strlen(CRLF));
}
