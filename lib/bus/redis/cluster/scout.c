#include "bus/redis/cluster/scout.h"

#include "base/text.h"
#include <assert.h>
#include <string.h>

void fr_redis_scout_init(struct fr_redis_scout *scout, const struct fr_redis_address *seeds,
                         size_t seed_count)
{
    assert(seed_count > 0);
    *scout = (struct fr_redis_scout){.seeds = seeds, .seed_count = seed_count};
}

struct fr_redis_address fr_redis_scout_next(struct fr_redis_scout *scout, const struct fr_redis_map *map)
{
    size_t place = scout->turn % (map->node_count + scout->seed_count);
    scout->turn = place + 1;
    return place < map->node_count ? map->nodes[place] : scout->seeds[place - map->node_count];
}

/* The value in a line "name:value"; empty: there is no such line. */
static struct freshet_span find_line(struct freshet_span info, const char *name)
{
    while (info.len > 0) {
        struct freshet_span line = fr_text_cut(&info, '\n');
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        if (fr_text_begins(line, name))
            return freshet_span(line.data + strlen(name), line.len - strlen(name));
    }
    return freshet_span(NULL, 0);
}

bool fr_redis_outlook_read(struct fr_redis_outlook *outlook, struct freshet_span info)
{
    struct freshet_span state = find_line(info, "cluster_state:");
    struct freshet_span epoch = find_line(info, "cluster_current_epoch:");
    *outlook = (struct fr_redis_outlook){.works = freshet_span_equal(state, freshet_span_text("ok"))};
    return state.len > 0 && fr_text_read_number(epoch, UINT64_MAX, &outlook->epoch);
}

bool fr_redis_scout_believes(struct fr_redis_scout *scout, const struct fr_redis_map *map,
                             const struct fr_redis_outlook *outlook)
{
    bool is_newer = outlook->epoch >= scout->epoch;
    bool nobody_knows_better = scout->doubted >= map->node_count + scout->seed_count;
    bool believes = outlook->works && is_newer ? true : nobody_knows_better && (outlook->works || is_newer);
    scout->doubted = believes ? 0 : scout->doubted + 1;
    if (believes)
        scout->epoch = outlook->epoch;
    return believes;
}
