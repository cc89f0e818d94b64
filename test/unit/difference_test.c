/* contract 5.10: what a difference says makes the new text of the old one, of any two. */
#include <criterion/criterion.h>

#include "difference_apply.h"
#include "failing_memory.h"

#include "base/buffer.c"
#include "core/codec/difference.c"

#include "base/utf8.h"

#define SPAN(text) freshet_span((text), sizeof(text) - 1)
#define ANY_COST   SIZE_MAX

static struct fr_buffer print(struct freshet_span before, struct freshet_span after)
{
    struct fr_pieces pieces;
    struct fr_buffer json = {0};
    cr_assert(fr_difference_find(&pieces, before, after, ANY_COST));
    fr_pieces_print(&json, &pieces, before, after);
    cr_assert_not(json.failed);
    fr_pieces_deinit(&pieces);
    return json;
}

static void expect(const char *before, const char *after, const char *expected)
{
    struct fr_buffer json = print(freshet_span_text(before), freshet_span_text(after));
    cr_expect(json.len == strlen(expected) && memcmp(json.data, expected, json.len) == 0, "%.*s",
              (int)json.len, json.data);
    fr_buffer_deinit(&json);
}

/* The size of the JSON. */
static size_t check(struct freshet_span before, struct freshet_span after)
{
    struct fr_buffer json = print(before, after);
    char *out = (malloc)(after.len + before.len + 1);
    size_t len = 0;
    bool applied = apply_difference(freshet_span(json.data, json.len), before, out, &len);
    cr_assert(applied && len == after.len && memcmp(out, after.data, len) == 0, "\"%.*s\" to \"%.*s\": %.*s",
              (int)before.len, before.data, (int)after.len, after.data, (int)json.len, json.data);
    free(out);
    len = json.len;
    fr_buffer_deinit(&json);
    return len;
}

Test(difference, names_pieces_in_utf16_code_units)
{
    expect("same", "same", "[[0,4]]");
    expect("old", "new", "[\"new\"]");
    expect("{\"a\":1,\"b\":2}", "{\"a\":10,\"b\":2}", "[[0,6],\"0\",[6,13]]");
    expect("abc", "ac", "[[0,1],[2,3]]");
    expect("a\xf0\x9f\x98\x80z", "a\xf0\x9f\x98\x80yz", "[[0,3],\"y\",[3,4]]");
    expect("\xe6\x97\xa5 one", "\xe6\x97\xa5 two \"\n", "[[0,2],\"two \\\"\\u000a\"]");
}

/* Characters whose bytes are equal in part: none is cut. */
Test(difference, cuts_no_character)
{
    expect("a\xc3\xa4z", "a\xc3\xb6z", "[[0,1],\"\xc3\xb6\",[2,3]]");
    expect("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x81", "[\"\xf0\x9f\x98\x81\"]");
    expect("\xc4\xa4", "\xc3\xa4", "[\"\xc3\xa4\"]");
}

/* All texts of up to five of these characters, which share bytes with one another. */
#define MOST_CHARACTERS 5
static size_t nth_text(size_t number, char *to)
{
    static const char *const alphabet[] = {"a", "\xc3\xa4", "\xc4\xa4", "\xf0\x9f\x98\x80"};
    size_t len = 0;
    for (; number > 0; number = (number - 1) / 4) {
        const char *character = alphabet[(number - 1) % 4];
        memcpy(to + len, character, strlen(character));
        len += strlen(character);
    }
    return len;
}

Test(difference, is_right_for_all_short_texts)
{
    const size_t count = 341; /* 4 + 16 + 64 + 256, and the empty one */
    char before[4 * MOST_CHARACTERS], after[4 * MOST_CHARACTERS];
    for (size_t i = 1; i < count; i++)
        for (size_t j = 1; j < count; j++)
            check(freshet_span(before, nth_text(i, before)), freshet_span(after, nth_text(j, after)));
}

#define ROOM 20000
static unsigned seed = 7;

static unsigned choose(unsigned count)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % count;
}

/* Words of all planes, some of them longer than a block; `kinds` few: much repetition. */
static size_t random_text(char *to, size_t most, unsigned kinds)
{
    static const char *const words[] = {
        "{\"id\":\"",
        "\xf0\x9f\x98\x80",
        "\",\"title\":\"a title that is longer than one block is\",\"done\":false}",
        "\xc3\xa4",
        "7",
        "\xe6\x97\xa5\xe6\x9c\xac",
        "\xc4\xa4",
        "\n"};
    size_t len = 0;
    for (;;) {
        const char *word = words[choose(kinds)];
        if (len + strlen(word) > most)
            return len;
        memcpy(to + len, word, strlen(word));
        len += strlen(word);
    }
}

static size_t boundary(const char *text, size_t len, size_t at)
{
    while (at < len && ((unsigned char)text[at] & 0xc0) == 0x80)
        at++;
    return at;
}

/* Moves, copies, takes out or puts in. */
static size_t edit(char *text, size_t len)
{
    char part[200];
    size_t from = boundary(text, len, choose((unsigned)len)), end = from + choose(150);
    size_t part_len = boundary(text, len, end < len ? end : len) - from;
    memcpy(part, text + from, part_len);
    if (choose(2) == 0) {
        memmove(text + from, text + from + part_len, len - from - part_len);
        len -= part_len;
    }
    if (choose(3) == 0)
        part_len = random_text(part, sizeof(part), 8);
    size_t to = boundary(text, len, choose((unsigned)len + 1));
    memmove(text + to + part_len, text + to, len - to);
    memcpy(text + to, part, part_len);
    return len + part_len;
}

Test(difference, is_right_for_random_edits)
{
    static char before[ROOM], after[ROOM];
    for (int round = 0; round < 3000; round++) {
        size_t len = random_text(before, 100 + choose(8000), 1 + choose(8));
        memcpy(after, before, len);
        size_t after_len = len;
        for (unsigned edits = choose(20); edits > 0; edits--)
            after_len = edit(after, after_len);
        cr_assert(fr_utf8_valid(freshet_span(after, after_len)), "the test's own text");
        if (len > 0 && after_len > 0)
            check(freshet_span(before, len), freshet_span(after, after_len));
    }
}

static size_t print_board(char *to, size_t tasks, size_t moved)
{
    size_t len = 0;
    for (size_t i = 0; i < tasks; i++) {
        size_t id = i < moved ? i : i + 1 < tasks ? i + 1 : moved; /* that task is the last now */
        len += (size_t)sprintf(to + len,
                               "{\"id\":\"t%zu\",\"title\":\"task number %zu\",\"done\":false,\"at\":%zu},",
                               id, id * 7, id * 1000003);
    }
    return len;
}

/* contract 5.10: a board of 170 KB with one task moved takes under 500 bytes, with its frame. */
Test(difference, of_a_moved_task_is_small)
{
    static char before[400000], after[400000];
    size_t len = print_board(before, 2600, 2600), after_len = print_board(after, 2600, 600);
    cr_assert(len > 170000 && len == after_len, "%zu %zu", len, after_len);
    cr_expect(check(freshet_span(before, len), freshet_span(after, after_len)) < 200);
}

/* What costs too much is given up, also when all that is there has been found to be new. */
Test(difference, over_its_cost_is_none)
{
    static char before[ROOM], after[ROOM];
    struct fr_pieces pieces;
    for (size_t i = 0; i < ROOM; i++) {
        before[i] = (char)('a' + choose(26));
        after[i] = (char)('A' + choose(26));
    }
    cr_expect_not(
        fr_difference_find(&pieces, freshet_span(before, ROOM), freshet_span(after, ROOM), ROOM / 2));
    cr_expect_null(pieces.all);
    cr_expect_not(fr_difference_find(&pieces, SPAN("abc"), SPAN("xyz"), 5));
    cr_expect(fr_difference_find(&pieces, SPAN("abc"), SPAN("xyz"), 6));
    fr_pieces_deinit(&pieces);
    cr_expect_not(fr_difference_find(&pieces, SPAN(""), SPAN("xyz"), ROOM));
    cr_expect_not(fr_difference_find(&pieces, SPAN("xyz"), SPAN(""), ROOM));
}

/* Work is bounded by the lengths: these would take minutes if each block were compared with each. */
Test(difference, of_repetition_takes_no_longer)
{
    const size_t len = 2000000;
    char *before = (malloc)(len), *after = (malloc)(len);
    memset(before, 'a', len);
    memset(after, 'a', len);
    for (size_t i = 40; i < len; i += 41 + i % 7)
        after[i] = 'b';
    check(freshet_span(before, len), freshet_span(after, len));
    for (size_t i = 31; i < len; i += 37)
        before[i] = 'b';
    check(freshet_span(before, len), freshet_span(after, len));
    free(before);
    free(after);
}

Test(difference, without_memory_is_none)
{
    static char before[ROOM], after[ROOM];
    size_t len = print_board(before, 100, 100), after_len = print_board(after, 100, 30);
    memcpy(before, "\xc3\xa4", 2);
    memcpy(after, "\xc3\xa4", 2);
    for (int left = 0; left < 3; left++) {
        struct fr_pieces pieces;
        allocations_left = left;
        cr_expect_not(
            fr_difference_find(&pieces, freshet_span(before, len), freshet_span(after, after_len), ANY_COST));
        cr_expect_null(pieces.all);
    }
    allocations_left = -1;
    struct fr_pieces pieces;
    cr_assert(
        fr_difference_find(&pieces, freshet_span(before, len), freshet_span(after, after_len), ANY_COST));
    for (int left = 0; left < 2; left++) {
        struct fr_buffer json = {0};
        allocations_left = left;
        fr_pieces_print(&json, &pieces, freshet_span(before, len), freshet_span(after, after_len));
        cr_expect(json.failed);
        fr_buffer_deinit(&json);
    }
    allocations_left = -1;
    fr_pieces_deinit(&pieces);
}
