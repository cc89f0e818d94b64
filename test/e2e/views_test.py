"""Several views on one stream, of ready-made instances on one Redis (contract 5.8)."""
import json
from urllib.parse import quote

from support import main, test, until
from streams import Stream


def ask(port, *views):
    """A stream of (view, version) pairs."""
    path = "/live?" + "&".join("v=" + quote("%s~%s" % view, safe="~") for view in views)
    return Shown(port, path)


class Shown(Stream):
    """What the views show: for each its version and its snapshot, None if it was only said to be current."""

    def of(self, view):
        found = None
        for event in self.events:
            if event.name == view:
                version, *lines = event.data.split("\n")
                found = version, "\n".join(lines) if lines else None
        return found

    def until_shows(self, view, condition):
        return self.until(lambda s: s.of(view) and s.of(view)[1] is not None and condition(s.of(view)[1]),
                          what=view)


def pair(case):
    redis = case.redis()
    instances = [case.bridge("--threads", "2", redis=redis) for _ in range(2)]
    for instance in instances:
        until(instance.ready)
    return redis, instances


def has_task(title):
    return lambda data: any(task["title"] == title for task in json.loads(data)["tasks"])


@test
def views_of_two_instances_show_what_either_changes(case):
    _, (a, b) = pair(case)
    views = ("/counter", ""), ("/board/b1", ""), ("/board/b2", "")
    shown = [ask(instance.port, *views) for instance in (a, b)]
    for stream in shown:
        for view, _ in views:
            stream.until_shows(view, lambda _: True)
    count = a.increment()
    b.add_task("b1", "from b")
    for stream in shown:
        stream.until_shows("/counter", lambda data: int(data) == count)
        stream.until_shows("/board/b1", has_task("from b"))
        assert json.loads(stream.of("/board/b2")[1])["tasks"] == []
        assert stream.end is None and stream.errors == []
    # contract 5.3: equal versions on every instance for equal snapshots
    for view, _ in views:
        assert shown[0].of(view) == shown[1].of(view)
    assert a.metric("freshet_streams") == b.metric("freshet_streams") == 1
    # The version of a view is the one that its own stream has.
    alone = Stream(a.port, "/live/counter").shows(count)
    assert alone.events[-1].id == shown[0].of("/counter")[0]
    alone.close()
    for stream in shown:
        stream.close()


@test
def versions_held_of_one_instance_are_current_on_the_other(case):
    _, (a, b) = pair(case)
    before = ask(a.port, ("/counter", ""), ("/board/b1", ""))
    for view in ("/counter", "/board/b1"):
        before.until_shows(view, lambda _: True)
    a.add_task("b1", "new")
    before.until_shows("/board/b1", has_task("new"))
    held = {view: before.of(view)[0] for view in ("/counter", "/board/b1")}
    count = a.increment()
    before.until_shows("/counter", lambda data: int(data) == count)
    # The set changes, on another instance: one more view, one is outdated, one is current.
    after = ask(b.port, ("/counter", held["/counter"]), ("/board/b1", held["/board/b1"]), ("/board/b2", ""))
    after.until_shows("/counter", lambda data: int(data) == count)
    after.until_shows("/board/b2", lambda _: True)
    after.until(lambda s: s.of("/board/b1"))
    assert after.of("/board/b1") == (held["/board/b1"], None)
    before.close()
    a.add_task("b1", "newer")
    after.until_shows("/board/b1", has_task("newer"))
    after.close()


@test
def a_view_that_is_refused_leaves_the_others(case):
    _, (a, _) = pair(case)
    stream = ask(a.port, ("/nowhere", ""), ("/counter", ""))
    stream.until_shows("/counter", lambda data: int(data) == 0)
    ends = [json.loads(event.data) for event in stream.events if event.name == "end"]
    assert ends == [{"view": "/nowhere", "status": 404, "code": "not-found", "retry_ms": None}], ends
    count = a.increment()
    stream.until_shows("/counter", lambda data: int(data) == count)
    stream.close()


if __name__ == "__main__":
    main()
