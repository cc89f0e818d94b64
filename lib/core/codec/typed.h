/* Messages of declared fields, in and out of msgpack: what reading and writing share. */
#ifndef FR_TYPED_H
#define FR_TYPED_H

#include <freshet/typed.h>

/* Where in a message something is, for errors: a field, or an item of the array around it. */
struct fr_place {
    const struct fr_place *outer; /* NULL: the message itself */
    const char *field;            /* NULL: an item */
    size_t index;
};

/* What every struct NAME_array looks like. */
struct fr_array {
    const void *items;
    size_t count;
    struct freshet_span encoded;
};

union fr_value {
    bool boolean;
    int64_t int64;
    uint64_t uint64;
    double float64;
    struct freshet_span span;
};

/* Bytes of an item in memory. */
size_t fr_kind_size(enum freshet_kind kind, const struct freshet_fields *fields);

/* Says `TYPE: field "PATH": REASON`. */
enum freshet_status fr_typed_fail(struct freshet_error *error, enum freshet_status status,
                                  const struct freshet_fields *fields, const struct fr_place *place,
                                  const char *reason);

/* Reads the value at the start of `bytes`, which went through fr_msgpack_check(), and moves behind it. `out`
 * is the item in memory; NULL: only look whether it is right. `owner` is the message that the error speaks
 * of. */
struct fr_typed_reader {
    struct freshet_span bytes;
    const struct freshet_fields *owner;
    struct freshet_error *error;
};
enum freshet_status fr_typed_read_item(struct fr_typed_reader *reader, enum freshet_kind kind,
                                       const struct freshet_fields *fields, const struct fr_place *place,
                                       void *out);

/* Counts a type of messages as fr_channel_type() has it; NULL: a signal. */
uint64_t fr_typed_fingerprint(const struct freshet_fields *fields);

#endif
