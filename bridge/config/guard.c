/* The keys of guards. */
#include "config/guard.h"
#include <ctype.h>
#include <string.h>

#define RIGHT_URL     "a URL such as http://127.0.0.1:3000/may-watch, or a list of them for several servers"
#define RIGHT_SECRETS "a secret of 32 bytes or more, such as { env: NAME }, or a list of them"
#define RIGHT_PAIRS   "a map of names, such as { sub: user }"

enum { MIN_SECRET_BYTES = 32 };

/* ---- values ---- */

static bool is_url(const char *text)
{
    const char *rest = strncmp(text, "http://", 7) == 0    ? text + 7
                       : strncmp(text, "https://", 8) == 0 ? text + 8
                                                           : "";
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
            return false;
    }
    return rest[0] != '\0' && rest[0] != '/';
}

static bool read_urls(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    const char ***urls = place;
    if (!read_texts(reading, node, place, key))
        return false;
    for (size_t i = 0; (*urls)[i] != NULL; i++) {
        if (!is_url((*urls)[i]) || i == 16)
            return false;
    }
    return true;
}

static bool read_secrets(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    const char ***secrets = place;
    if (!read_texts(reading, node, place, key))
        return false;
    for (size_t i = 0; (*secrets)[i] != NULL; i++) {
        if (strlen((*secrets)[i]) < MIN_SECRET_BYTES)
            return false;
    }
    return true;
}

/* Attributes are named in headers and templates. */
static bool read_names(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    const char ***names = place;
    if (!read_texts(reading, node, place, key))
        return false;
    for (size_t i = 0; (*names)[i] != NULL; i++) {
        for (const char *at = (*names)[i]; *at != '\0'; at++) {
            if ((!isalnum((unsigned char)*at) && *at != '_' && *at != '-') || at - (*names)[i] > 64)
                return false;
        }
    }
    return true;
}

static bool read_pairs(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    struct config_pairs *pairs = place;
    (void)key;
    if (node->kind != NODE_MAP)
        return false;
    pairs->items = arena_alloc(reading->arena, (node->count + 1) * sizeof(*pairs->items));
    for (const struct node *at = node->first; at != NULL; at = at->next) {
        if (at->kind != NODE_TEXT || at->text[0] == '\0')
            return false;
        pairs->items[pairs->count++] = (struct config_pair){at->key, at->text};
    }
    return true;
}

static bool read_algorithms(struct reading *reading, const struct node *node, void *place,
                            const struct key *key)
{
    static const char known[] =
        " HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA ";
    const char ***names = place;
    if (!read_texts(reading, node, place, key))
        return false;
    for (size_t i = 0; (*names)[i] != NULL; i++) {
        const char *found = strstr(known, (*names)[i]);
        if (found == NULL || strlen((*names)[i]) < 5 || found[-1] != ' ' || found[strlen((*names)[i])] != ' ')
            return false;
    }
    return true;
}

/* ---- the kinds ---- */

#define JWT(field) offsetof(struct config_jwt, field)

static const struct key jwt_keys[] = {
    {"keys", read_text, JWT(keys), "the URL of a JWK set, or the path of one or of public keys in PEM", NULL,
     false},
    {"secret", read_secrets, JWT(secrets), RIGHT_SECRETS, NULL, false},
    {"algorithms", read_algorithms, JWT(algorithms),
     "a list out of HS256, RS256, PS256, ES256, EdDSA and such", NULL, false},
    {"audience", read_texts, JWT(audience), "what aud has to be, or a list of what it may be", NULL, false},
    {"issuer", read_text, JWT(issuer), "what iss has to be", NULL, false},
    {"claims", read_pairs, JWT(claims), RIGHT_PAIRS, NULL, false},
    {"params", read_pairs, JWT(params), "a map of parameters to claims, such as { userId: sub }", NULL,
     false},
    {"cookie", read_text, JWT(cookie), "the name of a cookie", NULL, false},
    {"query", read_text, JWT(query), "the name of a parameter in the URL", NULL, false},
    {"leeway", read_time, JWT(leeway_ms), RIGHT_TIME, NULL, false},
    {"refresh", read_time, JWT(refresh_ms), RIGHT_TIME, NULL, false},
};

static bool read_jwt(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    struct config_guard *guard = place;
    const struct config_jwt *jwt = &guard->jwt;
    (void)key;
    guard->kind = CONFIG_GUARD_JWT;
    if (!reading_map(reading, node, jwt_keys, sizeof(jwt_keys) / sizeof(jwt_keys[0]), &guard->jwt))
        return false;
    if ((jwt->keys != NULL) == (jwt->secrets != NULL))
        reading_complain(reading, node, "needs one of keys and secret");
    if (jwt->keys != NULL && strstr(jwt->keys, "://") != NULL && !is_url(jwt->keys))
        reading_complain(reading, node, "keys: wrong value; right is %s", jwt_keys[0].right);
    return true;
}

static const struct key signed_keys[] = {
    {"secret", read_secrets, offsetof(struct config_signed, secrets), RIGHT_SECRETS, NULL, true},
};

static bool read_signed(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    struct config_guard *guard = place;
    (void)key;
    guard->kind = CONFIG_GUARD_SIGNED;
    return reading_map(reading, node, signed_keys, 1, &guard->signed_urls);
}

/* ---- one guard ---- */

#define ASK(field) offsetof(struct config_guard, ask.field)

static const struct key guard_keys[] = {
    {"ask", read_urls, ASK(urls), RIGHT_URL, NULL, false},
    {"forward", read_header_names, ASK(forward), RIGHT_HEADERS, NULL, false},
    {"attributes", read_names, ASK(attributes), "names of what the answer sets, such as [user]", NULL, false},
    {"for", read_time, ASK(for_ms), RIGHT_TIME, NULL, false},
    {"timeout", read_time, ASK(timeout_ms), RIGHT_TIME, NULL, false},
    {"jwt", read_jwt, 0, "a map with keys or secret", NULL, false},
    {"signed", read_signed, 0, "a map with secret", NULL, false},
};

static void read_guard(struct reading *reading, const struct node *node, struct config_guard *guard)
{
    const struct config_ask *ask = &guard->ask;
    unsigned before = reading->problems;
    guard->name = node->key;
    guard->node = node;
    bool is_map = reading_map(reading, node, guard_keys, sizeof(guard_keys) / sizeof(guard_keys[0]), guard);
    if (reading->problems != before)
        return;
    int kinds = is_map ? (node_find(node, "ask") != NULL) + (node_find(node, "jwt") != NULL) +
                             (node_find(node, "signed") != NULL)
                       : 0;
    if (kinds != 1)
        reading_complain(reading, node, "wrong value; right is a map with one of ask, jwt and signed");
    else if (ask->urls == NULL &&
             (ask->forward != NULL || ask->attributes != NULL || ask->for_ms != 0 || ask->timeout_ms != 0))
        reading_complain(reading, node, "forward, attributes, for and timeout go with ask only");
    if (ask->urls != NULL)
        guard->kind = CONFIG_GUARD_ASK;
}

bool config_read_guards(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    struct config_guards *guards = place;
    (void)key;
    if (node->kind != NODE_MAP)
        return false;
    guards->items = arena_alloc(reading->arena, (node->count + 1) * sizeof(*guards->items));
    for (const struct node *at = node->first; at != NULL; at = at->next) {
        size_t mark = reading_enter(reading, at->key, 0);
        read_guard(reading, at, &guards->items[guards->count++]);
        reading_leave(reading, mark);
    }
    return true;
}
