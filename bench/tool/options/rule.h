/* Where the number (a sequence or a time) stands in an event. Written as
 *
 *   first          the first decimal number in the data
 *   after:TEXT     the decimal number right behind the first TEXT that has one (blanks between are skipped)
 *   id:first, id:after:TEXT    the same in the event's id
 *   none           there is none
 *
 * Text is fed in pieces, cut anywhere. */
#ifndef BENCH_RULE_H
#define BENCH_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RULE_TEXT = 64 };
enum rule_where { RULE_NONE, RULE_DATA, RULE_ID };

struct rule {
    enum rule_where where;
    size_t len; /* of text; 0: the first number */
    char text[RULE_TEXT];
    uint8_t fallback[RULE_TEXT]; /* how much still matches when the byte behind so many does not */
};

enum rule_progress { RULE_SEARCHING, RULE_BEHIND_TEXT, RULE_IN_NUMBER, RULE_FOUND };

struct rule_match {
    uint8_t progress, matched;
    uint64_t value; /* of RULE_IN_NUMBER and RULE_FOUND; no more than UINT64_MAX */
};

/* False: not a rule. */
bool rule_parse(struct rule *rule, const char *text);

/* A zeroed match begins. */
void rule_feed(const struct rule *rule, struct rule_match *match, const char *data, size_t len);

/* The text is over: whether there was a number. */
static inline bool rule_finish(const struct rule_match *match)
{
    return match->progress >= RULE_IN_NUMBER;
}

#endif
