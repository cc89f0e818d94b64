#include "measure/measure.h"
#include "measure/clock.h"

void measure_joined(const struct measure *measure, struct tracker *tracker, uint64_t topic, int64_t at_ns)
{
    if (tracker->has_last || measure->kind != NUMBER_SEQ)
        return;
    if (measure->shared->plan.begin_ns != 0)
        tracker->last = plan_newest(&measure->shared->plan, topic, at_ns);
    tracker->has_last = true;
}

static struct histogram *latency_of(const struct measure *measure, const struct tracker *tracker)
{
    return tracker->is_slow ? &measure->stats->slow_latency : &measure->stats->latency;
}

/* Each planned publish above the last number, up to this one, is answered now. */
static void answer(const struct measure *measure, const struct tracker *tracker, uint64_t topic,
                   uint64_t number, int64_t at_ns)
{
    const struct plan *plan = &measure->shared->plan;
    uint64_t publish, from = measure->skips_are_lost ? number : tracker->last + 1;
    if (from < plan->first[topic])
        from = plan->first[topic];
    for (; from <= number && plan_find(plan, topic, from, &publish); from++) {
        int64_t planned = plan_time(plan, publish);
        if (planned >= plan->measure_ns)
            histogram_record(latency_of(measure, tracker), at_ns - planned);
    }
    if (from <= number)
        measure->stats->unplanned++;
}

static void take_new_number(const struct measure *measure, struct tracker *tracker, uint64_t topic,
                            uint64_t number, int64_t at_ns)
{
    const struct plan *plan = &measure->shared->plan;
    if (measure->kind == NUMBER_TIME) {
        int64_t planned = (int64_t)number * measure->time_unit_ns;
        if (plan->begin_ns != 0 && at_ns >= plan->measure_ns)
            histogram_record(latency_of(measure, tracker), wall_ns() - planned);
        return;
    }
    uint64_t last = tracker->last;
    if (plan->begin_ns != 0 && last + 1 < plan->first[topic])
        last = plan->first[topic] - 1;
    if (number > last + 1) {
        measure->stats->gaps++;
        measure->stats->skipped += number - last - 1;
    }
    if (plan->begin_ns != 0)
        answer(measure, tracker, topic, number, at_ns);
}

static void take_number(const struct measure *measure, struct tracker *tracker, uint64_t topic,
                        uint64_t number, int64_t at_ns)
{
    if (PUBLISHED(measure->shared->control.phase) == PHASE_CONNECT)
        raise_to(&measure->shared->shown[topic], number);
    if (tracker->has_last && number < tracker->last) {
        measure->stats->disordered++;
        return;
    }
    if (tracker->has_last && number == tracker->last)
        measure->stats->duplicates += !tracker->is_first;
    else if (tracker->has_last)
        take_new_number(measure, tracker, topic, number, at_ns);
    tracker->last = number;
    tracker->has_last = true;
}

/* State that nothing was published to yet: what is planned from now on must come. */
static void take_unnumbered(const struct measure *measure, struct tracker *tracker, uint64_t topic,
                            int64_t at_ns)
{
    measure->stats->unnumbered++;
    measure_joined(measure, tracker, topic, at_ns);
}

void measure_event(const struct measure *measure, struct tracker *tracker, uint64_t topic, bool has_number,
                   uint64_t number, int64_t at_ns)
{
    if (tracker->is_slow)
        measure->stats->slow_deliveries++;
    else
        measure->stats->deliveries++;
    if (measure->kind != NUMBER_NONE && has_number)
        take_number(measure, tracker, topic, number, at_ns);
    else if (measure->kind != NUMBER_NONE)
        take_unnumbered(measure, tracker, topic, at_ns);
    tracker->is_first = false;
    if (tracker->is_recovering && (measure->kind != NUMBER_SEQ || tracker->last >= tracker->needed)) {
        tracker->is_recovering = false;
        histogram_record(&measure->stats->recovery, at_ns - measure->shared->control.mark_ns);
    }
}

void measure_mark(const struct measure *measure, struct tracker *tracker, uint64_t topic, bool is_live)
{
    tracker->needed = measure->kind == NUMBER_SEQ ? PUBLISHED(measure->shared->accepted[topic]) : 0;
    tracker->is_recovering = !is_live || (measure->kind == NUMBER_SEQ && tracker->last < tracker->needed);
    if (!tracker->is_recovering)
        histogram_record(&measure->stats->recovery, 0);
}

bool measure_is_behind(const struct measure *measure, const struct tracker *tracker, uint64_t topic)
{
    return measure->kind == NUMBER_SEQ && tracker->last < PUBLISHED(measure->shared->accepted[topic]);
}
