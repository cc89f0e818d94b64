/* An intrusive doubly linked ring. An unlinked node points at itself. */
#ifndef FR_LIST_H
#define FR_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define FR_CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

struct fr_list {
    struct fr_list *prev, *next;
};

static inline void fr_list_init(struct fr_list *node)
{
    node->prev = node->next = node;
}

static inline bool fr_list_is_empty(const struct fr_list *list)
{
    return list->next == list;
}

/* Puts an unlinked node before `list`: at its end. */
static inline void fr_list_append(struct fr_list *list, struct fr_list *node)
{
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

static inline void fr_list_remove(struct fr_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    fr_list_init(node);
}

/* Moves all of `from` to the end of `list`, in order. */
static inline void fr_list_splice(struct fr_list *list, struct fr_list *from)
{
    if (fr_list_is_empty(from))
        return;
    from->next->prev = list->prev;
    list->prev->next = from->next;
    from->prev->next = list;
    list->prev = from->prev;
    fr_list_init(from);
}

/* The first node, unlinked, or NULL. */
static inline struct fr_list *fr_list_shift(struct fr_list *list)
{
    struct fr_list *first = list->next;
    if (first == list)
        return NULL;
    fr_list_remove(first);
    return first;
}

#endif
