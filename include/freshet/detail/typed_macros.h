/* What FRESHET_CHANNEL, FRESHET_SIGNAL and FRESHET_MESSAGE are made of. <freshet/typed.h> says how to use
 * them; only these three names are an interface, and one includes that header, not this one.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_DETAIL_TYPED_MACROS_H
#define FRESHET_DETAIL_TYPED_MACROS_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>

/* So that errors are shown where a declaration stands, and not here. */
#pragma GCC system_header

/* ---- declarations ---- */

#define FRESHET_CHANNEL(name, pattern, params, ...)                                                          \
    FRESHET_MESSAGE(name##_message, __VA_ARGS__);                                                            \
    FRESHET_ADDRESS_(name, pattern, &name##_message_fields, FRESHET_UNWRAP_ params)                          \
    FRESHET_MADE_ enum freshet_status name##_encode(const struct name##_message *message, char *buffer,      \
                                                    size_t capacity, size_t *len,                            \
                                                    struct freshet_error *error)                             \
    {                                                                                                        \
        return freshet_fields_encode(&name##_message_fields, message, buffer, capacity, len, error);         \
    }                                                                                                        \
    FRESHET_MADE_ enum freshet_status name##_decode(                                                         \
        struct freshet_span payload, struct name##_message *message, struct freshet_error *error)            \
    {                                                                                                        \
        return freshet_fields_decode(&name##_message_fields, payload, message, error);                       \
    }                                                                                                        \
    FRESHET_MADE_ enum freshet_status name##_publish(                                                        \
        struct freshet *freshet, const struct name##_topic *topic, const struct name##_message *message,     \
        freshet_published_cb published, void *user)                                                          \
    {                                                                                                        \
        return freshet_fields_publish(freshet, FRESHET_TOPIC_OF_(topic), &name##_message_fields, message,    \
                                      published, user);                                                      \
    }                                                                                                        \
    struct name##_message

#define FRESHET_SIGNAL(name, pattern, params)                                                                \
    FRESHET_ADDRESS_(name, pattern, NULL, FRESHET_UNWRAP_ params)                                            \
    FRESHET_MADE_ enum freshet_status name##_publish(struct freshet *freshet,                                \
                                                     const struct name##_topic *topic,                       \
                                                     freshet_published_cb published, void *user)             \
    {                                                                                                        \
        return freshet_publish(freshet, FRESHET_TOPIC_OF_(topic), freshet_span(NULL, 0), published, user);   \
    }                                                                                                        \
    struct name##_topic

#define FRESHET_MESSAGE(type, ...)                                                                           \
    FRESHET_STRICT_                                                                                          \
    struct type {                                                                                            \
        FRESHET_EACH_(FRESHET_MEMBER_, type, __VA_ARGS__)                                                    \
    };                                                                                                       \
    FRESHET_MADE_TABLE_ struct freshet_field type##_rows[] = {                                               \
        FRESHET_EACH_(FRESHET_ROW_, type, __VA_ARGS__)};                                                     \
    FRESHET_MADE_TABLE_ struct freshet_fields type##_fields = {                                              \
        #type, sizeof(struct type), type##_rows, sizeof(type##_rows) / sizeof(type##_rows[0])};              \
    FRESHET_ARRAY_OF_(type, struct type, FRESHET_KIND_MESSAGE, &type##_fields)                               \
    struct type

/* NULL of a typed topic is NULL. */
#define FRESHET_TOPIC_OF_(typed) ((typed) == NULL ? NULL : &(typed)->topic)

/* What a channel with messages and a signal have in common. */
#define FRESHET_ADDRESS_(name, pattern, fields, ...)                                                         \
    FRESHET_STRICT_                                                                                          \
    struct name##_topic {                                                                                    \
        struct freshet_topic topic;                                                                          \
    };                                                                                                       \
    FRESHET_MADE_TABLE_ struct freshet_parameter name##_parameters[] = {                                     \
        FRESHET_EACH_(FRESHET_PARAMETER_, name, __VA_ARGS__){NULL, FRESHET_PARAMETER_END}};                  \
    static struct freshet_declaration name##_declaration                                                     \
        __attribute__((unused)) = {#name, pattern, name##_parameters, fields, NULL};                         \
    FRESHET_MADE_ const struct freshet_channel *name##_channel(struct freshet_error *error)                  \
    {                                                                                                        \
        return freshet_declaration_channel(&name##_declaration, error);                                      \
    }                                                                                                        \
    FRESHET_MADE_ enum freshet_status name##_key(                                                            \
        struct name##_topic *freshet_filled FRESHET_EACH_(FRESHET_TEXT_, name, __VA_ARGS__),                 \
        struct freshet_error *freshet_why)                                                                   \
    {                                                                                                        \
        const struct freshet_argument freshet_given[] = {                                                    \
            FRESHET_EACH_(FRESHET_GIVE_TEXT_, name, __VA_ARGS__){NULL, NULL, 0}};                            \
        return freshet_declaration_key(&name##_declaration, freshet_given,                                   \
                                       FRESHET_TOPIC_OF_(freshet_filled), freshet_why);                      \
    }                                                                                                        \
    FRESHET_MADE_ enum freshet_status name##_key_spans(                                                      \
        struct name##_topic *freshet_filled FRESHET_EACH_(FRESHET_SPAN_, name, __VA_ARGS__),                 \
        struct freshet_error *freshet_why)                                                                   \
    {                                                                                                        \
        const struct freshet_argument freshet_given[] = {                                                    \
            FRESHET_EACH_(FRESHET_GIVE_SPAN_, name, __VA_ARGS__){NULL, NULL, 0}};                            \
        return freshet_declaration_key(&name##_declaration, freshet_given,                                   \
                                       FRESHET_TOPIC_OF_(freshet_filled), freshet_why);                      \
    }

#define FRESHET_ARRAY_OF_(name, type, kind, fields)                                                          \
    struct name##_array {                                                                                    \
        const type *items;                                                                                   \
        size_t count;                                                                                        \
        struct freshet_span encoded;                                                                         \
    };                                                                                                       \
    FRESHET_MADE_ bool name##_next(struct name##_array *array, type *item)                                   \
    {                                                                                                        \
        return freshet_array_next(array, kind, fields, item);                                                \
    }

/* A file need not use all that is made for it. */
#define FRESHET_MADE_       static inline __attribute__((unused))
#define FRESHET_MADE_TABLE_ static const __attribute__((unused))

/* C takes a pointer to another struct with a warning only. From a declaration on it is an error, as in C++
 * and in newer compilers. */
#ifdef __cplusplus
#define FRESHET_STRICT_
#else
#define FRESHET_STRICT_                                                                                      \
    _Pragma("GCC diagnostic error \"-Wincompatible-pointer-types\"")                                         \
        _Pragma("GCC diagnostic error \"-Wint-conversion\"")
#endif

/* ---- parameters: what each kind is in the tables, as an argument, and handed on ---- */

#define FRESHET_PARAMETER_(name, item) FRESHET_PARAMETER_OF_##item
#define FRESHET_PARAMETER_OF_
#define FRESHET_PARAMETER_OF_param(name)    {#name, FRESHET_PARAMETER_ONE},
#define FRESHET_PARAMETER_OF_optional(name) {#name, FRESHET_PARAMETER_OPTIONAL},
#define FRESHET_PARAMETER_OF_rest(name)     {#name, FRESHET_PARAMETER_REST},

#define FRESHET_TEXT_(name, item) FRESHET_TEXT_OF_##item
#define FRESHET_TEXT_OF_
#define FRESHET_TEXT_OF_param(name)    , const char *name
#define FRESHET_TEXT_OF_optional(name) , const char *name
#define FRESHET_TEXT_OF_rest(name)     , const char *const *name, size_t name##_count

#define FRESHET_SPAN_(name, item) FRESHET_SPAN_OF_##item
#define FRESHET_SPAN_OF_
#define FRESHET_SPAN_OF_param(name)    , struct freshet_span name
#define FRESHET_SPAN_OF_optional(name) , struct freshet_span name
#define FRESHET_SPAN_OF_rest(name)     , const struct freshet_span *name, size_t name##_count

#define FRESHET_GIVE_TEXT_(name, item) FRESHET_GIVE_TEXT_OF_##item
#define FRESHET_GIVE_TEXT_OF_
#define FRESHET_GIVE_TEXT_OF_param(name)    {&name, NULL, 1},
#define FRESHET_GIVE_TEXT_OF_optional(name) {&name, NULL, 1},
#define FRESHET_GIVE_TEXT_OF_rest(name)     {name, NULL, name##_count},

#define FRESHET_GIVE_SPAN_(name, item) FRESHET_GIVE_SPAN_OF_##item
#define FRESHET_GIVE_SPAN_OF_
#define FRESHET_GIVE_SPAN_OF_param(name)    {NULL, &name, 1},
#define FRESHET_GIVE_SPAN_OF_optional(name) {NULL, &name, 1},
#define FRESHET_GIVE_SPAN_OF_rest(name)     {NULL, name, name##_count},

/* ---- fields: a struct member, and a row of the table ---- */

#define FRESHET_MEMBER_(owner, item) FRESHET_MEMBER_OF_##item
#define FRESHET_MEMBER_OF_optional(item)                                                                     \
    bool FRESHET_HAS_##item;                                                                                 \
    FRESHET_MEMBER_OF_##item
#define FRESHET_MEMBER_OF_array(item) FRESHET_MEMBER_ARRAY_##item

#define FRESHET_MEMBER_OF_boolean(name)       bool name;
#define FRESHET_MEMBER_OF_int64(name)         int64_t name;
#define FRESHET_MEMBER_OF_uint64(name)        uint64_t name;
#define FRESHET_MEMBER_OF_float64(name)       double name;
#define FRESHET_MEMBER_OF_text(name)          struct freshet_span name;
#define FRESHET_MEMBER_OF_bytes(name)         struct freshet_span name;
#define FRESHET_MEMBER_OF_message(type, name) struct type name;

#define FRESHET_MEMBER_ARRAY_boolean(name)       struct freshet_boolean_array name;
#define FRESHET_MEMBER_ARRAY_int64(name)         struct freshet_int64_array name;
#define FRESHET_MEMBER_ARRAY_uint64(name)        struct freshet_uint64_array name;
#define FRESHET_MEMBER_ARRAY_float64(name)       struct freshet_float64_array name;
#define FRESHET_MEMBER_ARRAY_text(name)          struct freshet_text_array name;
#define FRESHET_MEMBER_ARRAY_bytes(name)         struct freshet_bytes_array name;
#define FRESHET_MEMBER_ARRAY_message(type, name) struct type##_array name;

#define FRESHET_HAS_boolean(name)       has_##name
#define FRESHET_HAS_int64(name)         has_##name
#define FRESHET_HAS_uint64(name)        has_##name
#define FRESHET_HAS_float64(name)       has_##name
#define FRESHET_HAS_text(name)          has_##name
#define FRESHET_HAS_bytes(name)         has_##name
#define FRESHET_HAS_message(type, name) has_##name
#define FRESHET_HAS_array(item)         FRESHET_HAS_##item

/* An item as a list: its presence, whether it is an array, kind, fields of its message, name. */
#define FRESHET_LIST_optional(item)                   FRESHET_CALL_(FRESHET_LIST_SET_OPTIONAL_, FRESHET_LIST_##item)
#define FRESHET_LIST_SET_OPTIONAL_(presence, ...)     OPTIONAL, __VA_ARGS__
#define FRESHET_LIST_array(item)                      FRESHET_CALL_(FRESHET_LIST_SET_ARRAY_, FRESHET_LIST_##item)
#define FRESHET_LIST_SET_ARRAY_(presence, array, ...) presence, true, __VA_ARGS__
#define FRESHET_LIST_boolean(name)                    REQUIRED, false, FRESHET_KIND_BOOLEAN, NULL, name
#define FRESHET_LIST_int64(name)                      REQUIRED, false, FRESHET_KIND_INT64, NULL, name
#define FRESHET_LIST_uint64(name)                     REQUIRED, false, FRESHET_KIND_UINT64, NULL, name
#define FRESHET_LIST_float64(name)                    REQUIRED, false, FRESHET_KIND_FLOAT64, NULL, name
#define FRESHET_LIST_text(name)                       REQUIRED, false, FRESHET_KIND_TEXT, NULL, name
#define FRESHET_LIST_bytes(name)                      REQUIRED, false, FRESHET_KIND_BYTES, NULL, name
#define FRESHET_LIST_message(type, name)              REQUIRED, false, FRESHET_KIND_MESSAGE, &type##_fields, name

#define FRESHET_ROW_(owner, item) FRESHET_CALL_(FRESHET_ROW_OF_, owner, FRESHET_LIST_##item)
#define FRESHET_ROW_OF_(owner, presence, array, kind, fields, name)                                          \
    {#name, offsetof(struct owner, name), FRESHET_PRESENCE_##presence(owner, name), array, kind, fields},
#define FRESHET_PRESENCE_REQUIRED(owner, name) false, 0
#define FRESHET_PRESENCE_OPTIONAL(owner, name) true, offsetof(struct owner, has_##name)

/* ---- for each item of a list of at most 32 ---- */

#define FRESHET_UNWRAP_(...)      __VA_ARGS__
#define FRESHET_CALL_(macro, ...) macro(__VA_ARGS__)
#define FRESHET_JOIN_(a, b)       FRESHET_JOIN_NOW_(a, b)
#define FRESHET_JOIN_NOW_(a, b)   a##b
#define FRESHET_EACH_(macro, owner, ...)                                                                     \
    FRESHET_JOIN_(FRESHET_EACH_, FRESHET_COUNT_(__VA_ARGS__))(macro, owner, __VA_ARGS__)
#define FRESHET_COUNT_(...)                                                                                  \
    FRESHET_COUNT_PICK_(__VA_ARGS__, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, \
                        14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define FRESHET_COUNT_PICK_(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, _18, \
                            _19, _20, _21, _22, _23, _24, _25, _26, _27, _28, _29, _30, _31, _32, count,     \
                            ...)                                                                             \
    count
#define FRESHET_EACH_1(m, o, a)       m(o, a)
#define FRESHET_EACH_2(m, o, a, ...)  m(o, a) FRESHET_EACH_1(m, o, __VA_ARGS__)
#define FRESHET_EACH_3(m, o, a, ...)  m(o, a) FRESHET_EACH_2(m, o, __VA_ARGS__)
#define FRESHET_EACH_4(m, o, a, ...)  m(o, a) FRESHET_EACH_3(m, o, __VA_ARGS__)
#define FRESHET_EACH_5(m, o, a, ...)  m(o, a) FRESHET_EACH_4(m, o, __VA_ARGS__)
#define FRESHET_EACH_6(m, o, a, ...)  m(o, a) FRESHET_EACH_5(m, o, __VA_ARGS__)
#define FRESHET_EACH_7(m, o, a, ...)  m(o, a) FRESHET_EACH_6(m, o, __VA_ARGS__)
#define FRESHET_EACH_8(m, o, a, ...)  m(o, a) FRESHET_EACH_7(m, o, __VA_ARGS__)
#define FRESHET_EACH_9(m, o, a, ...)  m(o, a) FRESHET_EACH_8(m, o, __VA_ARGS__)
#define FRESHET_EACH_10(m, o, a, ...) m(o, a) FRESHET_EACH_9(m, o, __VA_ARGS__)
#define FRESHET_EACH_11(m, o, a, ...) m(o, a) FRESHET_EACH_10(m, o, __VA_ARGS__)
#define FRESHET_EACH_12(m, o, a, ...) m(o, a) FRESHET_EACH_11(m, o, __VA_ARGS__)
#define FRESHET_EACH_13(m, o, a, ...) m(o, a) FRESHET_EACH_12(m, o, __VA_ARGS__)
#define FRESHET_EACH_14(m, o, a, ...) m(o, a) FRESHET_EACH_13(m, o, __VA_ARGS__)
#define FRESHET_EACH_15(m, o, a, ...) m(o, a) FRESHET_EACH_14(m, o, __VA_ARGS__)
#define FRESHET_EACH_16(m, o, a, ...) m(o, a) FRESHET_EACH_15(m, o, __VA_ARGS__)
#define FRESHET_EACH_17(m, o, a, ...) m(o, a) FRESHET_EACH_16(m, o, __VA_ARGS__)
#define FRESHET_EACH_18(m, o, a, ...) m(o, a) FRESHET_EACH_17(m, o, __VA_ARGS__)
#define FRESHET_EACH_19(m, o, a, ...) m(o, a) FRESHET_EACH_18(m, o, __VA_ARGS__)
#define FRESHET_EACH_20(m, o, a, ...) m(o, a) FRESHET_EACH_19(m, o, __VA_ARGS__)
#define FRESHET_EACH_21(m, o, a, ...) m(o, a) FRESHET_EACH_20(m, o, __VA_ARGS__)
#define FRESHET_EACH_22(m, o, a, ...) m(o, a) FRESHET_EACH_21(m, o, __VA_ARGS__)
#define FRESHET_EACH_23(m, o, a, ...) m(o, a) FRESHET_EACH_22(m, o, __VA_ARGS__)
#define FRESHET_EACH_24(m, o, a, ...) m(o, a) FRESHET_EACH_23(m, o, __VA_ARGS__)
#define FRESHET_EACH_25(m, o, a, ...) m(o, a) FRESHET_EACH_24(m, o, __VA_ARGS__)
#define FRESHET_EACH_26(m, o, a, ...) m(o, a) FRESHET_EACH_25(m, o, __VA_ARGS__)
#define FRESHET_EACH_27(m, o, a, ...) m(o, a) FRESHET_EACH_26(m, o, __VA_ARGS__)
#define FRESHET_EACH_28(m, o, a, ...) m(o, a) FRESHET_EACH_27(m, o, __VA_ARGS__)
#define FRESHET_EACH_29(m, o, a, ...) m(o, a) FRESHET_EACH_28(m, o, __VA_ARGS__)
#define FRESHET_EACH_30(m, o, a, ...) m(o, a) FRESHET_EACH_29(m, o, __VA_ARGS__)
#define FRESHET_EACH_31(m, o, a, ...) m(o, a) FRESHET_EACH_30(m, o, __VA_ARGS__)
#define FRESHET_EACH_32(m, o, a, ...) m(o, a) FRESHET_EACH_31(m, o, __VA_ARGS__)

#endif
