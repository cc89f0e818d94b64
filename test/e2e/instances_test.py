"""Two instances on one Redis show the same state (contract 7.1, 7.2, 5.3)."""
import json

from support import main, test, until
from streams import Crowd, Stream


def pair(case, *options):
    redis = case.redis()
    instances = [case.bridge(*options, redis=redis) for _ in range(2)]
    for instance in instances:
        until(instance.ready)
    return redis, instances


@test
def a_click_on_one_instance_arrives_on_the_other(case):
    _, (a, b) = pair(case)
    on_a, on_b = Stream(a.port, "/live/counter").shows(0), Stream(b.port, "/live/counter").shows(0)
    for count in range(1, 21):
        sender = (a, b)[count % 2]
        assert sender.increment() == count
        on_a.shows(count)
        on_b.shows(count)
    # contract 5.3: equal versions on every instance for equal snapshots
    assert on_a.events[-1].id == on_b.events[-1].id
    # contract 3.3: the echo of an own publish loads nothing, so there is one load for each publish
    assert a.metric("freshet_loads_total") <= 22, a.metric("freshet_loads_total")


@test
def a_task_on_one_instance_arrives_on_the_other(case):
    _, (a, b) = pair(case)
    stream = Stream(b.port, "/live/board/b1").until(lambda s: s.newest)
    a.add_task("b1", "across")
    stream.until(lambda s: json.loads(s.newest)["tasks"])
    assert json.loads(stream.newest)["tasks"][0]["title"] == "across"


@test
def a_publish_from_redis_cli_is_a_signal(case):
    # contract 2.2: state changed behind the instances' back, an empty body says so
    redis, (a, b) = pair(case)
    streams = [Stream(instance.port, "/live/counter").shows(0) for instance in (a, b)]
    a.increment()
    for stream in streams:
        stream.shows(1)
    before = a.metric("freshet_loads_total")
    assert redis.command("PUBLISH", "freshet:counter", "") == 2
    until(lambda: a.metric("freshet_loads_total") > before)
    assert a.metric("freshet_messages_foreign_total") >= 1
    # Foreign bodies of every kind: none harms, each loads (contract 2.2).
    for body in (b"\xdd\x10\x00\x00\x00", b"\xc1", b"\x95\x01", b"{}", b"\x95\x02\xa1x\x01\x01\xc0", b"x" * 200000):
        before = b.metric("freshet_loads_total")
        redis.command("PUBLISH", "freshet:counter", body)
        until(lambda: b.metric("freshet_loads_total") > before)
    assert a.running() and b.running()


@test
def prefixes_keep_applications_apart(case):
    # contract 2.1
    redis, (a, _) = pair(case)
    other = case.bridge("--prefix", "other:", redis=redis)
    until(other.ready)
    stream = Stream(other.port, "/live/counter").until(lambda s: s.newest is not None)
    loads = other.metric("freshet_loads_total")
    first = a.increment()
    Stream(a.port, "/live/counter").shows(first)
    messages = other.metric("freshet_messages_total")
    assert redis.command("PUBLISH", "other:counter", "") == 1
    until(lambda: other.metric("freshet_messages_total") > messages)
    until(lambda: other.metric("freshet_loads_total") == loads + 1)
    stream.close()


@test
def a_store_of_its_own_keeps_the_state_out_of_the_redis_of_the_bus(case):
    # contract 7.2
    bus, store = case.redis(), case.redis()
    a, b = [case.bridge("--store", store.url, redis=bus) for _ in range(2)]
    stream = Stream(b.port, "/live/counter").shows(0)
    assert until(a.increment) == 1
    stream.shows(1)
    assert store.command("GET", "freshet:counter") == b"1" and bus.command("DBSIZE") == 0
    bus.kill()
    assert a.increment() == 2, "the store is there"
    bus.start()
    stream.shows(2)


@test
def without_redis_an_instance_keeps_its_own_state(case):
    a, b = case.bridge(), case.bridge()
    assert a.increment() == 1
    Stream(a.port, "/live/counter").shows(1)
    Stream(b.port, "/live/counter").shows(0)
    until(a.ready)


@test
def a_topic_is_given_back_after_its_last_stream(case):
    # contract 4.11: linger_ms, 5 s by default
    redis, (a, b) = pair(case)
    stream = Stream(a.port, "/live/board/lonely").until(lambda s: s.newest)
    until(lambda: redis.command("PUBSUB", "NUMSUB", "freshet:board/lonely")[1] == 1)
    stream.close()
    until(lambda: redis.command("PUBSUB", "NUMSUB", "freshet:board/lonely")[1] == 0, 6)
    again = Stream(a.port, "/live/board/lonely").until(lambda s: s.newest)
    b.add_task("lonely", "back")
    again.until(lambda s: json.loads(s.newest)["tasks"])


@test
def several_threads_share_one_subscription_and_one_load(case):
    # contract 7.2, 4.3
    redis, (a, _) = pair(case, "--threads", "3")
    crowd = Crowd().open(300, [a.port], "/live/counter")
    crowd.until(lambda: crowd.all_show(0))
    assert redis.command("PUBSUB", "NUMSUB", "freshet:counter")[1] == 1
    before = a.metric("freshet_loads_total")
    count = a.increment()
    crowd.until(lambda: crowd.all_show(count))
    assert a.metric("freshet_loads_total") == before + 1
    crowd.close()


if __name__ == "__main__":
    main()
