#include "options/rule.h"
#include <string.h>

static void prepare(struct rule *rule)
{
    uint8_t matched = 0;
    rule->fallback[0] = 0;
    for (size_t i = 1; i < rule->len; i++) {
        while (matched > 0 && rule->text[i] != rule->text[matched])
            matched = rule->fallback[matched - 1];
        if (rule->text[i] == rule->text[matched])
            matched++;
        rule->fallback[i] = matched;
    }
}

bool rule_parse(struct rule *rule, const char *text)
{
    memset(rule, 0, sizeof(*rule));
    if (strcmp(text, "none") == 0)
        return true;
    rule->where = RULE_DATA;
    if (strncmp(text, "id:", 3) == 0) {
        rule->where = RULE_ID;
        text += 3;
    }
    if (strcmp(text, "first") == 0)
        return true;
    if (strncmp(text, "after:", 6) != 0)
        return false;
    rule->len = strlen(text + 6);
    if (rule->len == 0 || rule->len >= RULE_TEXT)
        return false;
    memcpy(rule->text, text + 6, rule->len);
    prepare(rule);
    return true;
}

static void search_byte(const struct rule *rule, struct rule_match *match, char byte)
{
    while (match->matched > 0 && byte != rule->text[match->matched])
        match->matched = rule->fallback[match->matched - 1];
    if (byte == rule->text[match->matched])
        match->matched++;
    if (match->matched == rule->len) {
        match->progress = RULE_BEHIND_TEXT;
        match->matched = rule->fallback[rule->len - 1];
    }
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static void add_digit(struct rule_match *match, char byte)
{
    uint64_t digit = (uint64_t)(byte - '0');
    if (match->value > (UINT64_MAX - digit) / 10)
        match->value = UINT64_MAX;
    else
        match->value = match->value * 10 + digit;
}

static void feed_byte(const struct rule *rule, struct rule_match *match, char byte)
{
    bool may_begin = match->progress == RULE_BEHIND_TEXT || rule->len == 0;
    if (match->progress == RULE_IN_NUMBER || (may_begin && is_digit(byte))) {
        match->progress = is_digit(byte) ? RULE_IN_NUMBER : RULE_FOUND;
        if (is_digit(byte))
            add_digit(match, byte);
    } else if (rule->len > 0 && !(may_begin && byte == ' ')) {
        match->progress = RULE_SEARCHING;
        search_byte(rule, match, byte);
    }
}

void rule_feed(const struct rule *rule, struct rule_match *match, const char *data, size_t len)
{
    for (const char *end = data + len; data < end && match->progress != RULE_FOUND; data++) {
        /* Most of what comes is not the text: look for where it may begin. */
        if (match->progress == RULE_SEARCHING && match->matched == 0 && rule->len > 0) {
            data = memchr(data, rule->text[0], (size_t)(end - data));
            if (data == NULL)
                return;
        }
        feed_byte(rule, match, *data);
    }
}
