/* What gdb_test looks at: a list and a map of three each, and spans, when stop_here() is called. */
#include "base/list.h"
#include "base/map.h"

struct city {
    struct fr_list link;
    int number;
    struct fr_map_node node;
};

/* Not static, or what only gdb reads would be optimized away. */
struct fr_list cities, none, zeroed;
struct fr_map names;
struct freshet_span text = {"a \"topic\" and more", 9}, empty, bytes = {"caf\xc3\xa9\xff", 6};

static __attribute__((noinline)) void stop_here(void)
{
    __asm__ volatile("" ::: "memory"); /* all that was written before is in memory by now */
}

int main(void)
{
    static struct city made[3];
    static const char *const called[] = {"Ulm", "Bonn", "Linz"};
    fr_list_init(&cities);
    fr_list_init(&none);
    if (!fr_map_init(&names) || zeroed.next != NULL)
        return 1;
    for (int i = 0; i < 3; i++) {
        made[i].number = 100 + i;
        fr_list_init(&made[i].link);
        fr_list_append(&cities, &made[i].link);
        fr_map_put(&names, freshet_span_text(called[i]), &made[i].node);
    }
    stop_here();
    fr_map_deinit(&names);
    return 0;
}
