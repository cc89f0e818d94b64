#include "measure/plan.h"
#include "measure/clock.h"

int64_t plan_time(const struct plan *plan, uint64_t publish)
{
    return plan->begin_ns + (int64_t)((double)publish / plan->rate * (double)SECOND_NS);
}

uint64_t plan_due(const struct plan *plan, int64_t at_ns)
{
    if (plan->begin_ns == 0 || plan->count == 0 || at_ns < plan->begin_ns)
        return 0;
    double passed = (double)(at_ns - plan->begin_ns) / (double)SECOND_NS * plan->rate;
    uint64_t due = passed >= (double)plan->count ? plan->count : (uint64_t)passed + 1;
    /* What rounding has moved. */
    while (due > 0 && plan_time(plan, due - 1) > at_ns)
        due--;
    while (due < plan->count && plan_time(plan, due) <= at_ns)
        due++;
    return due;
}

bool plan_find(const struct plan *plan, uint64_t topic, uint64_t number, uint64_t *publish)
{
    if (plan->begin_ns == 0 || number < plan->first[topic] || number - plan->first[topic] >= plan->count)
        return false;
    *publish = (number - plan->first[topic]) * plan->topics + topic;
    return *publish < plan->count;
}

uint64_t plan_newest(const struct plan *plan, uint64_t topic, int64_t at_ns)
{
    uint64_t due = plan_due(plan, at_ns);
    uint64_t rounds = due > topic ? (due - topic - 1) / plan->topics + 1 : 0;
    return plan->first[topic] + rounds - 1;
}
