/* Typed channels. One declaration, at file scope, best in a header that publishers and loaders share:
 *
 *     FRESHET_SIGNAL(counter, "counter", ());
 *
 *     FRESHET_CHANNEL(board, "board/:boardId", (param(boardId)),
 *                     text(taskId), text(to), optional(text(note)));
 *
 * gives a program, as static inline functions that a debugger shows under these names:
 *
 *     struct board_topic          a topic of this channel and of no other; a plain value around `topic`
 *     struct board_message        taskId, to: struct freshet_span; has_note: bool; note: struct freshet_span
 *     board_key(&topic, "b1", &error)
 *     board_publish(freshet, &topic, &message, published, user)
 *     board_encode(&message, buffer, capacity, &len, &error)
 *     board_decode(context->message.payload, &message, &error)
 *     board_channel(&error)       for freshet_loader_options.channel
 *
 * and of a signal the topic, counter_key(&topic, &error), counter_publish(freshet, &topic, published, user)
 * and counter_channel(&error): it has no message at all. Wrong use does not compile, in C11 and in C++. For
 * that, -Wincompatible-pointer-types and -Wint-conversion are errors in a C file from its first declaration
 * on.
 *
 * Macros and not a generator: the README's example was written both ways. The declaration reads the same, but
 * a generator needs a language of its own and a build step in every program that links the library, and its
 * errors and the debugger point at a file that nobody wrote; with these they point at the declaration.
 *
 * Parameters stand in the order of the name, each as it is there: `param(id)` for `:id`, `optional(id)` for
 * `:id?`, `rest(path)` for `:path*` and `:path+`; `()` for none; at most 32. A channel whose declaration and
 * name do not agree answers FRESHET_INVALID wherever it is used, with a text that names both.
 *
 * Fields, 1 to 32, each with the name that it has on the bus and in the struct:
 *
 *     boolean(x)  int64(x)  uint64(x)  float64(x)      bool, int64_t, uint64_t, double
 *     text(x)  bytes(x)                                struct freshet_span, borrowed; text is UTF-8
 *     message(type, x)                                 struct type, of FRESHET_MESSAGE(type, fields...)
 *     array(text(x))                                   struct freshet_text_array; any of the above
 *     optional(text(x))                                bool has_x, and x if it is set; any of the above
 *
 * (Names are C identifiers; for a channel with others there is freshet_channel_new().)
 *
 * On the bus a message is a msgpack map with the names as keys. Decoding ignores what it does not know. It
 * refuses, in a text that names the field (`at.x`, `labels[2]`): a required one that is missing; another kind
 * than declared; an integer that does not fit; text that is not UTF-8; a field that is there twice. An
 * integer is taken where a float64 is declared (languages write 1.0 as 1; above 2^53 it is rounded), never
 * the other way round. Nil is the same as absent for an optional field and the wrong kind for any other.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_TYPED_H
#define FRESHET_TYPED_H

#include <freshet/channel.h>
#include <freshet/detail/typed_macros.h>
#include <freshet/instance.h>
#include <freshet/span.h>
#include <freshet/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the made functions do. All: any thread; `error` may be NULL.
 *
 * NAME_key(&topic, one argument for each parameter, &error) fills in the parameters with texts (const char *,
 * NUL-terminated UTF-8; NULL or "" leaves an optional one absent); a rest takes two arguments, an array and
 * its count. NAME_key_spans() is the same with struct freshet_span. Statuses of freshet_channel_new() and
 * freshet_channel_topic(); `topic` is written only on FRESHET_OK.
 *
 * NAME_channel(&error) is made at the first use and kept for the life of the process: not to be destroyed.
 * NULL: FRESHET_INVALID or FRESHET_NO_MEMORY of the same; `error` says why.
 *
 * NAME_publish() is freshet_publish() with its statuses and its promise about `published`; FRESHET_INVALID
 * also when NAME_encode() would say so. All spans and arrays of the message are read before it returns.
 *
 * NAME_encode() writes the payload and its length. FRESHET_TOO_LARGE: it does not fit; *len is then what it
 * needs. FRESHET_INVALID: a text is not UTF-8, or an array is neither items nor decoded; `error` names the
 * field.
 *
 * NAME_decode() reads a payload, of any bytes. Nothing is copied or allocated: spans and arrays of the
 * message point into the payload and live as long. FRESHET_NOT_FOUND: the payload is empty, which is what a
 * load sees that was not caused by a message. FRESHET_INVALID: as above. On failure *message is all zero.
 *
 * TYPE_next(&array, &item) takes the first item off an array: true and *item, or false when none is left. To
 * publish an array set `items` and `count`; `items` are borrowed. A decoded array has `count` and `encoded`,
 * and its items are read as TYPE_next() comes to them: no memory is needed, whatever a count says. Go over a
 * copy to keep the array; a decoded array may be published as it is.
 *
 *     struct freshet_text_array labels = message.labels;
 *     for (struct freshet_span label; freshet_text_next(&labels, &label);)
 *         ...
 */

/* ---- What declarations are made into, and the functions behind them. Not for use by hand. ---- */

enum freshet_kind {
    FRESHET_KIND_BOOLEAN = 1,
    FRESHET_KIND_INT64,
    FRESHET_KIND_UINT64,
    FRESHET_KIND_FLOAT64,
    FRESHET_KIND_TEXT,
    FRESHET_KIND_BYTES,
    FRESHET_KIND_MESSAGE
};

struct freshet_fields;

struct freshet_field {
    const char *name;
    size_t offset;
    bool optional;
    size_t has_offset; /* of has_NAME, if optional */
    bool array;
    enum freshet_kind kind;
    const struct freshet_fields *fields; /* of FRESHET_KIND_MESSAGE */
};

struct freshet_fields {
    const char *name; /* of the struct */
    size_t size;      /* of the struct */
    const struct freshet_field *items;
    size_t count;
};

enum freshet_parameter_kind {
    FRESHET_PARAMETER_END = 0,
    FRESHET_PARAMETER_ONE,
    FRESHET_PARAMETER_OPTIONAL,
    FRESHET_PARAMETER_REST
};

struct freshet_parameter {
    const char *name;
    enum freshet_parameter_kind kind;
};

struct freshet_declaration {
    const char *name;
    const char *pattern;
    const struct freshet_parameter *parameters; /* up to FRESHET_PARAMETER_END */
    const struct freshet_fields *fields;        /* NULL: a signal */
    struct freshet_channel *channel;            /* made at the first use */
};

/* The values of one parameter, as the one or as the other. */
struct freshet_argument {
    const char *const *texts;
    const struct freshet_span *spans;
    size_t count;
};

const struct freshet_channel *freshet_declaration_channel(struct freshet_declaration *declaration,
                                                          struct freshet_error *error);
/* One argument for each parameter. */
enum freshet_status freshet_declaration_key(struct freshet_declaration *declaration,
                                            const struct freshet_argument *arguments,
                                            struct freshet_topic *topic, struct freshet_error *error);
enum freshet_status freshet_fields_encode(const struct freshet_fields *fields, const void *message,
                                          char *buffer, size_t capacity, size_t *len,
                                          struct freshet_error *error);
enum freshet_status freshet_fields_decode(const struct freshet_fields *fields, struct freshet_span payload,
                                          void *message, struct freshet_error *error);
enum freshet_status freshet_fields_publish(struct freshet *freshet, const struct freshet_topic *topic,
                                           const struct freshet_fields *fields, const void *message,
                                           freshet_published_cb published, void *user);
bool freshet_array_next(void *array, enum freshet_kind kind, const struct freshet_fields *fields, void *item);

/* struct freshet_boolean_array and freshet_boolean_next(), and so on. */
FRESHET_ARRAY_OF_(freshet_boolean, bool, FRESHET_KIND_BOOLEAN, NULL)
FRESHET_ARRAY_OF_(freshet_int64, int64_t, FRESHET_KIND_INT64, NULL)
FRESHET_ARRAY_OF_(freshet_uint64, uint64_t, FRESHET_KIND_UINT64, NULL)
FRESHET_ARRAY_OF_(freshet_float64, double, FRESHET_KIND_FLOAT64, NULL)
FRESHET_ARRAY_OF_(freshet_text, struct freshet_span, FRESHET_KIND_TEXT, NULL)
FRESHET_ARRAY_OF_(freshet_bytes, struct freshet_span, FRESHET_KIND_BYTES, NULL)

#ifdef __cplusplus
}
#endif
#endif
