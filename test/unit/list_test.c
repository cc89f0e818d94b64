#include <criterion/criterion.h>

#include "base/list.h"

struct item {
    int number;
    struct fr_list link;
};

static void add(struct fr_list *list, struct item *item, int number)
{
    item->number = number;
    fr_list_init(&item->link);
    fr_list_append(list, &item->link);
}

static int shift(struct fr_list *list)
{
    struct fr_list *first = fr_list_shift(list);
    return first == NULL ? 0 : FR_CONTAINER(first, struct item, link)->number;
}

Test(list, keeps_order)
{
    struct fr_list list;
    struct item items[3];
    fr_list_init(&list);
    cr_assert(fr_list_is_empty(&list));
    cr_assert_null(fr_list_shift(&list));
    for (int i = 0; i < 3; i++)
        add(&list, &items[i], i + 1);
    cr_assert_not(fr_list_is_empty(&list));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(shift(&list), i + 1);
    cr_assert(fr_list_is_empty(&list));
    cr_assert(fr_list_is_empty(&items[0].link));
}

Test(list, removes_from_anywhere_and_again)
{
    struct fr_list list;
    struct item items[3];
    fr_list_init(&list);
    for (int i = 0; i < 3; i++)
        add(&list, &items[i], i + 1);
    fr_list_remove(&items[1].link);
    fr_list_remove(&items[1].link); /* an unlinked node stays as it is */
    fr_list_append(&list, &items[1].link);
    cr_assert_eq(shift(&list), 1);
    cr_assert_eq(shift(&list), 3);
    cr_assert_eq(shift(&list), 2);
    cr_assert_eq(shift(&list), 0);
}

Test(list, splices_to_the_end)
{
    struct fr_list list, other;
    struct item items[4];
    fr_list_init(&list);
    fr_list_init(&other);
    fr_list_splice(&list, &other);
    cr_assert(fr_list_is_empty(&list));
    for (int i = 0; i < 4; i++)
        add(i < 2 ? &list : &other, &items[i], i + 1);
    fr_list_splice(&list, &other);
    cr_assert(fr_list_is_empty(&other));
    fr_list_splice(&other, &list);
    cr_assert(fr_list_is_empty(&list));
    for (int i = 0; i < 4; i++)
        cr_assert_eq(shift(&other), i + 1);
    cr_assert(fr_list_is_empty(&other));
}
