"""freshet-agent: the library in a process without h2o that changes state and publishes (contract 3.1, 3.2)."""
import contextlib
import json
import os
import re
import signal
import subprocess

import msgpack

from support import AGENT, Process, deadline, main, test, until
from streams import Stream


def agent(*arguments, env=None):
    """Runs one to its end."""
    return subprocess.run([AGENT, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=deadline(15), env={**os.environ, **(env or {})}, check=False)


def tasks(stream):
    return json.loads(stream.newest)["tasks"]


def published(answer):
    """Of each job the task and how many instances heard of it, as the agent said."""
    lines = answer.stdout.splitlines()
    found = [re.fullmatch(r"task (\d+): published, instances that heard it: (\d+)", line) for line in lines]
    assert all(found), lines
    return [tuple(map(int, match.groups())) for match in found]


@contextlib.contextmanager
def subscriber(redis, channel):
    with redis.client() as client:
        assert client.command("SUBSCRIBE", channel)[0] == b"subscribe"
        yield client


@test
def streams_on_every_instance_see_what_the_agent_did(case):
    # contract 3.1
    redis = case.redis()
    instances = [case.bridge(redis=redis) for _ in range(2)]
    for instance in instances:
        until(instance.ready)
    streams = [Stream(i.port, "/live/board/b1").until(lambda s: s.newest) for i in instances]
    other = Stream(instances[0].port, "/live/board/b2").until(lambda s: s.newest)
    answer = agent("--redis", redis.url, "--board", "b1", "--title", "Report \u00e9", "--count", 3, "--every", 0)
    assert answer.returncode == 0 and "freshet-agent:" not in answer.stderr, answer
    assert published(answer) == [(1, 2), (2, 2), (3, 2)], answer
    wanted = [{"id": n, "title": "Report \u00e9 %d" % n, "column": "todo"} for n in (1, 2, 3)]
    for stream in streams:
        stream.until(lambda s: tasks(s) == wanted, what="shows all three tasks")
    # What the agent added the instances can move.
    assert instances[0].post("/board/b1/tasks/2/move", {"to": "done"}).status == 200
    streams[1].until(lambda s: tasks(s)[1]["column"] == "done")
    assert other.snapshots == 1 and tasks(other) == []


@test
def the_agent_and_the_instances_publish_messages_of_the_declared_channel(case):
    # contract 1.5, 2.1: read by a client that knows nothing of the declaration
    redis = case.redis()
    bridge = case.bridge(redis=redis)
    until(bridge.ready)
    with subscriber(redis, "freshet:board/b1") as client:
        assert agent("--redis", redis.url, "--board", "b1", "--count", 2, "--every", 0).returncode == 0
        bridge.add_task("b1", "by hand")
        assert bridge.post("/board/b1/tasks/1/move", {"to": "doing"}).status == 200
        bodies = [msgpack.unpackb(client.reply()[2]) for _ in range(4)]
    assert [body[4] for body in bodies] == [{"taskId": 1, "to": "todo", "title": "Job 1"},
                                            {"taskId": 2, "to": "todo", "title": "Job 2"},
                                            {"taskId": 3, "to": "todo", "title": "by hand"},
                                            {"taskId": 1, "to": "doing"}]
    # contract 2.1: a version, one publisher for each program, a sequence that grows
    assert all(body[0] == 1 for body in bodies)
    assert bodies[0][1] == bodies[1][1] != bodies[2][1] == bodies[3][1]
    assert bodies[0][2] < bodies[1][2] and bodies[2][2] < bodies[3][2]


@test
def a_load_sees_the_message_of_the_publish_that_caused_it(case):
    # contract 4.4
    redis = case.redis()
    bridge = case.bridge("--log-level", "debug", redis=redis)
    until(bridge.ready)
    stream = Stream(bridge.port, "/live/board/b1").until(lambda s: s.newest)
    assert agent("--redis", redis.url, "--board", "b1", "--count", 1).returncode == 0
    stream.until(lambda s: len(tasks(s)) == 1)
    assert "board/b1: task 1 was added; publishes: 1" in bridge.log(), bridge.log()
    bridge.post("/board/b1/tasks/1/move", {"to": "doing"})
    stream.until(lambda s: tasks(s)[0]["column"] == "doing")
    assert "board/b1: task 1 was moved; publishes: 1" in bridge.log(), bridge.log()


@test
def an_agent_without_an_end_works_until_it_is_told(case):
    redis = case.redis()
    bridge = case.bridge(redis=redis)
    until(bridge.ready)
    stream = Stream(bridge.port, "/live/board/demo").until(lambda s: s.newest)
    done = 0
    for number in (signal.SIGTERM, signal.SIGINT):
        worker = Process([AGENT, "--every", "10"], os.path.join(case.folder, "agent-%d.log" % number),
                         env={**os.environ, "FRESHET_REDIS": redis.url})
        case.defer(worker.kill)
        stream.until(lambda s: len(tasks(s)) >= done + 5, what="five more tasks")
        worker.signal(number)
        # On a machine that stands still for a second the store is late: then it says so, and leaves with 1.
        assert worker.wait(6) == (1 if "freshet-agent:" in worker.log() else 0), worker.log()
        done += worker.log().count("published, ")
        stream.until(lambda s: len(tasks(s)) == done, what="all that it said it did")


@test
def prefixes_part_applications(case):
    redis = case.redis()
    bridge = case.bridge("--prefix", "mine:", redis=redis)
    until(bridge.ready)
    stream = Stream(bridge.port, "/live/board/demo").until(lambda s: s.newest)
    assert published(agent("--redis", redis.url, "--count", 1)) == [(1, 0)]
    assert redis.command("HGET", "freshet:board/demo", "1:title") == b"Job 1"
    assert published(agent("--redis", redis.url, "--count", 1, env={"FRESHET_PREFIX": "mine:"})) == [(1, 1)]
    stream.until(lambda s: len(tasks(s)) == 1)
    assert stream.snapshots == 2


@test
def jobs_that_fail_are_said_and_leave_with_1(case):
    redis = case.redis(start=False)
    answer = agent("--redis", redis.url, "--count", 2, "--every", 0)
    assert answer.returncode == 1 and answer.stdout == "", answer
    assert answer.stderr.count("the store did not answer") == 2, answer
    redis.start()
    redis.command("HSET", "freshet:board/full", "next", "1000")
    redis.command("SET", "freshet:board/odd", "no hash")
    for board, text in (("full", "the board is full"), ("odd", "did not answer or refused")):
        with subscriber(redis, "freshet:board/" + board) as client:
            answer = agent("--redis", redis.url, "--board", board, "--count", 1)
            assert answer.returncode == 1 and text in answer.stderr and not answer.stdout, answer
            # Nothing was changed, so nothing was published: a marker is the first that comes.
            redis.command("PUBLISH", "freshet:board/" + board, "marker")
            assert client.reply()[2] == b"marker"


@test
def an_agent_outlasts_a_redis_that_goes_and_comes(case):
    redis = case.redis()
    bridge = case.bridge(redis=redis)
    until(bridge.ready)
    stream = Stream(bridge.port, "/live/board/demo").until(lambda s: s.newest)
    worker = case.run([AGENT, "--redis", redis.url, "--every", "10"])
    stream.until(lambda s: len(tasks(s)) >= 3)
    redis.kill()
    until(lambda: "the store did not answer" in worker.log(), 3)
    redis.start()
    until(bridge.ready, 3)
    before = len(tasks(stream))
    stream.until(lambda s: len(tasks(s)) >= before + 3, 6, "goes on")
    worker.signal(signal.SIGTERM)
    # Jobs have failed, and it says so at the end.
    assert worker.wait(6) == 1, worker.log()


@test
def a_wrong_option_says_which_and_what_would_be_right(_):
    redis = ["--redis", "redis://127.0.0.1:1"]
    cases = [([], {}, "--redis is missing"), ([*redis, "--board", ""], {}, "--board"),
             ([*redis, "--board", "x" * 129], {}, "--board"), ([*redis, "--title", " "], {}, "--title"),
             ([*redis, "--title", b"\xff"], {}, "--title"), ([*redis, "--every", "1.5"], {}, "--every"),
             ([*redis, "--every", "-1"], {}, "--every"), ([*redis, "--count", "0"], {}, "--count"),
             ([*redis, "--count"], {}, "--count needs a value"), ([*redis, "--threads", "2"], {}, "no option --threads"),
             ([*redis, "publish"], {}, "publish is not an option"), (redis, {"FRESHET_EVERY": "soon"}, "FRESHET_EVERY"),
             (["--redis", "http://user:geheim-7@x"], {}, "--redis"),
             (["--redis", "redis://user:geheim-7@127.0.0.1:1/x/y"], {}, "redis URL"),
             ([*redis, "--board", b"\xff"], {}, "boardId")]
    for arguments, env, named in cases:
        answer = subprocess.run([AGENT, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                                timeout=deadline(1), env={**os.environ, **env})
        text = (answer.stdout + answer.stderr).decode()
        assert answer.returncode == 2, (arguments, env, answer)
        assert named in text and "geheim" not in text, (arguments, env, text)


@test
def help_and_version_are_answered(_):
    answer = agent("--help")
    assert answer.returncode == 0 and not answer.stderr, answer
    for option in ("--redis", "--prefix", "--board", "--title", "--every", "--count", "--log-level", "FRESHET_"):
        assert option in answer.stdout, option
    answer = agent("--version")
    assert answer.returncode == 0 and re.fullmatch(r"freshet-agent \d+\.\d+\.\d+\n", answer.stdout), answer


@test
def the_agent_is_made_without_h2o(_):
    answer = subprocess.run(["ldd", AGENT], capture_output=True, text=True, check=True)
    assert "libc.so" in answer.stdout and "h2o" not in answer.stdout, answer


if __name__ == "__main__":
    main()
