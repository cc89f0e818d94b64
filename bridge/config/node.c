#include "config/node.h"
#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 16 };

struct parse {
    yaml_parser_t parser;
    struct arena *arena;
    struct node_error *error;
};

static bool refuse(struct parse *parse, size_t line, const char *text)
{
    parse->error->line = (int)line + 1;
    snprintf(parse->error->text, sizeof(parse->error->text), "%s", text);
    return false;
}

/* libyaml says what it found; what would be right in these places is this. */
static const char *find_advice(const char *problem)
{
    static const struct {
        const char *problem, *advice;
    } known[] = {
        {"expected ',' or", "; between { } and [ ] a text that has one of { } [ ] , in it stands in quotes"},
        {"unexpected ':'", "; between { } and [ ] a text that has a colon and braces in it stands in quotes"},
        {"cannot start any token",
         "; lines are indented with spaces, and a text that begins so stands in quotes"},
        {"expected key", "; keys of one map stand below each other"},
        {"mapping values are not allowed", "; a text that has a colon and a space in it stands in quotes"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strstr(problem, known[i].problem) != NULL)
            return known[i].advice;
    }
    return "";
}

/* libyaml's own words, and where it was. */
static bool next_event(struct parse *parse, yaml_event_t *event)
{
    if (yaml_parser_parse(&parse->parser, event))
        return true;
    const char *problem = parse->parser.problem;
    char text[sizeof(parse->error->text)];
    snprintf(text, sizeof(text), "%.80s%s", problem == NULL ? "no memory" : problem,
             problem == NULL ? "" : find_advice(problem));
    refuse(parse, parse->parser.problem_mark.line, text);
    return false;
}

static bool read_node(struct parse *parse, yaml_event_t *event, int depth, struct node **out);

static void append(struct node *parent, struct node **last, struct node *child)
{
    if (*last == NULL)
        parent->first = child;
    else
        (*last)->next = child;
    *last = child;
    parent->count++;
}

/* The key of a map's next value, or NULL at its end. False: there is an error. */
static bool read_key(struct parse *parse, const struct node *map, const char **key)
{
    yaml_event_t event;
    bool good = true;
    if (!next_event(parse, &event))
        return false;
    *key = NULL;
    if (event.type == YAML_SCALAR_EVENT)
        *key = arena_text(parse->arena, (char *)event.data.scalar.value, event.data.scalar.length);
    else if (event.type != YAML_MAPPING_END_EVENT)
        good = refuse(parse, event.start_mark.line, "a key has to be a text");
    if (*key != NULL && node_find(map, *key) != NULL)
        good = refuse(parse, event.start_mark.line, "this key is there twice");
    yaml_event_delete(&event);
    return good;
}

static bool read_map_nodes(struct parse *parse, struct node *map, int depth)
{
    struct node *last = NULL;
    for (;;) {
        yaml_event_t event;
        struct node *child;
        const char *key;
        if (!read_key(parse, map, &key))
            return false;
        if (key == NULL)
            return true;
        if (!next_event(parse, &event) || !read_node(parse, &event, depth, &child))
            return false;
        child->key = key;
        append(map, &last, child);
    }
}

static bool read_list_nodes(struct parse *parse, struct node *list, int depth)
{
    struct node *last = NULL;
    for (;;) {
        yaml_event_t event;
        struct node *child;
        if (!next_event(parse, &event))
            return false;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return true;
        }
        if (!read_node(parse, &event, depth, &child))
            return false;
        append(list, &last, child);
    }
}

static bool read_text_node(struct parse *parse, const yaml_event_t *event, struct node *node)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    if (memchr(text, '\0', len) != NULL)
        return refuse(parse, event->start_mark.line, "a text with a zero byte");
    node->text = arena_text(parse->arena, text, len);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return true;
}

/* Takes the event over. */
static bool read_node(struct parse *parse, yaml_event_t *event, int depth, struct node **out)
{
    struct node *node = *out = arena_alloc(parse->arena, sizeof(*node));
    size_t line = event->start_mark.line;
    yaml_event_type_t type = event->type;
    bool good = true;
    node->line = (int)line + 1;
    if (type == YAML_SCALAR_EVENT)
        good = read_text_node(parse, event, node);
    yaml_event_delete(event);
    if (depth == MAX_DEPTH)
        return refuse(parse, line, "nested too deeply");
    switch (type) {
    case YAML_SCALAR_EVENT:
        node->kind = NODE_TEXT;
        return good;
    case YAML_SEQUENCE_START_EVENT:
        node->kind = NODE_LIST;
        return read_list_nodes(parse, node, depth + 1);
    case YAML_MAPPING_START_EVENT:
        node->kind = NODE_MAP;
        return read_map_nodes(parse, node, depth + 1);
    default:
        return refuse(parse, line, "aliases (*name) are not understood; write the value");
    }
}

/* Passes over the stream's and the document's start to the root, and looks that nothing follows. */
static bool read_document(struct parse *parse, struct node **root)
{
    bool seen = false;
    for (;;) {
        yaml_event_t event;
        if (!next_event(parse, &event))
            return false;
        yaml_event_type_t type = event.type;
        size_t line = event.start_mark.line;
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT ||
            type == YAML_DOCUMENT_END_EVENT || type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(&event);
            if (type == YAML_DOCUMENT_START_EVENT && seen)
                return refuse(parse, line, "a second document begins");
            if (type == YAML_STREAM_END_EVENT)
                return true;
            continue;
        }
        if (!read_node(parse, &event, 0, root))
            return false;
        seen = true;
    }
}

const struct node *node_parse(struct arena *arena, const char *bytes, size_t len, struct node_error *error)
{
    struct parse parse = {.arena = arena, .error = error};
    struct node *root = NULL;
    if (!yaml_parser_initialize(&parse.parser)) {
        refuse(&parse, 0, "no memory for the parser");
        return NULL;
    }
    yaml_parser_set_input_string(&parse.parser, (const unsigned char *)bytes, len);
    bool good = read_document(&parse, &root);
    yaml_parser_delete(&parse.parser);
    if (!good)
        return NULL;
    if (root == NULL || (root->kind == NODE_TEXT && root->text[0] == '\0')) {
        root = arena_alloc(arena, sizeof(*root));
        root->kind = NODE_MAP;
        root->line = 1;
    }
    return root;
}

const struct node *node_find(const struct node *map, const char *key)
{
    for (const struct node *at = map->first; at != NULL; at = at->next) {
        if (strcmp(at->key, key) == 0)
            return at;
    }
    return NULL;
}
