"""Requests that wait for the store while it, the client, the network or the bridge goes away (contract 6.4, 7.2)."""
import json
import os
import signal
import socket

from forwarder import Forwarder
from support import AGENT, counted, deadline, main, test, until
from streams import Stream

POST = b"POST /counter/increment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"


def stopped_store(case):
    """A bridge whose Redis has it all in its socket and answers nothing."""
    redis = case.redis()
    bridge = case.bridge("--threads", "2", redis=redis)
    until(bridge.ready)
    assert bridge.increment() == 1
    os.kill(redis.process.pid, signal.SIGSTOP)
    return redis, bridge


def accepted(bridge):
    connection = socket.create_connection(("127.0.0.1", bridge.port), timeout=deadline(3))
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200"), "alive"
    return connection


def unread(bridge):
    """Bytes that clients sent and the bridge has not read."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(int(row[4].split(":")[1], 16) for row in rows if int(row[1].split(":")[1], 16) == bridge.port)


def ask(bridge):
    connection = socket.create_connection(("127.0.0.1", bridge.port), timeout=deadline(3))
    connection.sendall(POST)
    return connection


def answer(connection):
    with connection:
        got = b""
        while b"\r\n\r\n" not in got or b"}" not in got:
            piece = connection.recv(65536)
            assert piece, got
            got += piece
        head, body = got.split(b"\r\n\r\n", 1)
        return int(head.split()[1]), body


@test
def changes_of_clients_that_have_gone_are_made(case):
    redis, bridge = stopped_store(case)
    before = bridge.sockets()
    for _ in range(50):
        ask(bridge).close()
    os.kill(redis.process.pid, signal.SIGCONT)
    until(lambda: counted(redis.command("GET", "freshet:counter")) == 51, 3, "all are made")
    until(lambda: bridge.sockets() <= before, 3, "their connections are given back")
    assert bridge.increment() == 52


@test
def a_store_that_is_silent_is_told_to_each_client(case):
    redis, bridge = stopped_store(case)
    waiting = [ask(bridge) for _ in range(20)]
    for connection in waiting:
        status, body = answer(connection)
        assert status == 503 and b"the store did not answer" in body, (status, body)
    os.kill(redis.process.pid, signal.SIGCONT)
    until(bridge.increment, 3)


@test
def a_bridge_that_is_stopped_answers_what_waits_for_the_store(case):
    redis, bridge = stopped_store(case)
    waiting = [accepted(bridge) for _ in range(20)]  # what waits in a listener's backlog is nobody's
    for connection in waiting:
        connection.sendall(POST)
    until(lambda: unread(bridge) == 0, 3, "all are read")
    bridge.signal(signal.SIGTERM)
    for connection in waiting:
        status, body = answer(connection)
        assert status == 503 and b"the store did not answer" in body, (status, body)
    assert bridge.wait(3) == 0, bridge.log()
    os.kill(redis.process.pid, signal.SIGCONT)


def held_store(case):
    """Two bridges on one Redis, the first behind a network that can hold its commands."""
    redis = case.redis()
    forwarder = Forwarder(case, redis.port)
    bridges = [case.bridge(redis=forwarder), case.bridge(redis=redis)]
    for bridge in bridges:
        until(bridge.ready)
    return redis, forwarder, bridges


def tasks(stream):
    return json.loads(stream.newest)["tasks"]


@test
def a_change_that_is_made_after_its_refusal_is_shown_everywhere(case):
    # contract 7.2: what was published with the refusal was too early
    redis, forwarder, (a, b) = held_store(case)
    streams = [Stream(bridge.port, "/live/counter").shows(0) for bridge in (a, b)]
    forwarder.hold(b"INCR")
    assert a.increment() is None, "the store did not answer"
    streams[1].until(lambda s: s.snapshots == 2, what="what it may have done is looked for")
    assert streams[1].newest == "0" and redis.command("GET", "freshet:counter") is None
    forwarder.release()
    for stream in streams:
        stream.shows(1)


@test
def a_task_that_is_added_after_its_refusal_is_shown_everywhere(case):
    _, forwarder, (a, b) = held_store(case)
    streams = [Stream(bridge.port, "/live/board/b1").until(lambda s: s.newest) for bridge in (a, b)]
    forwarder.hold(b"HSET")
    assert a.post("/board/b1/tasks", {"title": "late"}).status == 503
    streams[1].until(lambda s: s.snapshots == 2)
    assert not tasks(streams[1])
    forwarder.release()
    for stream in streams:
        stream.until(lambda s: [task["title"] for task in tasks(s)] == ["late"])


@test
def a_change_whose_answer_is_lost_is_shown_when_the_link_ends(case):
    redis, forwarder, (a, b) = held_store(case)
    stream = Stream(b.port, "/live/counter").shows(0)
    forwarder.hold(b"INCR")
    assert a.increment() is None
    stream.until(lambda s: s.snapshots == 2)
    forwarder.release(muted=True)
    until(lambda: redis.command("GET", "freshet:counter") == b"1")
    forwarder.cut()
    stream.shows(1)


@test
def a_change_that_arrives_after_its_link_was_given_up_is_shown(case):
    redis, forwarder, (a, b) = held_store(case)
    stream = Stream(b.port, "/live/counter").shows(0)
    forwarder.hold(b"INCR")
    assert a.increment() is None
    before = a.metric("freshet_data_reconnects_total")
    until(lambda: a.metric("freshet_data_reconnects_total") > before, 5)
    assert stream.newest == "0"
    forwarder.release()
    stream.shows(1)


@test
def a_job_that_is_done_after_the_agent_gave_it_up_is_shown(case):
    _, forwarder, (_, b) = held_store(case)
    stream = Stream(b.port, "/live/board/b1").until(lambda s: s.newest)
    forwarder.hold(b"HSET")
    agent = case.run([AGENT, "--redis", forwarder.url, "--board", "b1", "--title", "late", "--count", "1"])
    stream.until(lambda s: s.snapshots == 2)
    assert not tasks(stream)
    forwarder.release()
    stream.until(lambda s: [task["title"] for task in tasks(s)] == ["late 1"])
    assert agent.wait(5) == 1, "it said that it does not know"


def answer_of(bridge, path):
    return json.loads(bridge.get(path).body)


@test
def the_data_link_follows_the_master(case):
    # contract 7.5: the address moves, and the links to the old master stay open
    old, new = case.redis(), case.redis()
    forwarder = Forwarder(case, old.port)
    bridges = [case.bridge(redis=forwarder) for _ in range(2)]
    for bridge in bridges:
        until(bridge.ready)
    assert bridges[0].increment() == 1
    new.command("REPLICAOF", "127.0.0.1", old.port)
    until(lambda: new.command("GET", "freshet:counter") == b"1", 2)
    new.command("REPLICAOF", "NO", "ONE")
    forwarder.target = new.port
    old.command("REPLICAOF", "127.0.0.1", new.port)
    for bridge in bridges:  # also the one that was never asked to write
        until(lambda: bridge.metric("freshet_data_reconnects_total") >= 1, 2)
        until(bridge.ready, 2)
        assert answer_of(bridge, "/health/ready")["data"] == "up"
    assert until(bridges[0].increment, 2) == 2
    assert new.command("GET", "freshet:counter") == b"2"
    Stream(bridges[1].port, "/live/counter").shows(2)


@test
def the_data_link_leaves_a_master_that_was_not_told_that_it_is_none(case):
    # contract 7.5: both call themselves masters, and the address leads to the new one
    old, new = case.redis(), case.redis()
    forwarder = Forwarder(case, old.port)
    bridge = case.bridge(redis=forwarder)
    until(bridge.ready)
    assert bridge.increment() == 1
    new.command("REPLICAOF", "127.0.0.1", old.port)
    until(lambda: new.command("GET", "freshet:counter") == b"1", 2)
    new.command("REPLICAOF", "NO", "ONE")
    new.command("SET", "freshet:counter", "7")
    forwarder.target = new.port
    stream = Stream(bridge.port, "/live/counter").shows(1)
    assert bridge.increment() == 2, "lost, as all that such a master takes"
    until(lambda: bridge.metric("freshet_data_reconnects_total") >= 1, 5)
    stream.shows(7)
    assert until(bridge.increment, 2) == 8
    assert old.command("ROLE")[0] == b"master"


@test
def a_store_that_is_away_is_seen_by_machines(case):
    # contract 8.1
    redis, bridge = stopped_store(case)
    until(lambda: answer_of(bridge, "/health/ready")["data"] == "down", 3)
    assert bridge.metric("freshet_data_links_up") == 0 and not bridge.ready()
    os.kill(redis.process.pid, signal.SIGCONT)
    until(lambda: answer_of(bridge, "/health/ready")["data"] == "up", 3)
    until(bridge.ready, 3)


@test
def a_refusal_that_lasts_is_logged_once_and_counted_always(case):
    # contract 7.6
    redis = case.redis()
    bridge = case.bridge(redis=redis)
    until(bridge.ready)
    redis.command("CONFIG", "SET", "min-replicas-to-write", "1")
    for _ in range(50):
        assert bridge.increment() is None
        assert bridge.post("/board/b1/tasks", {"title": "x"}).status == 503
    assert bridge.metric("freshet_data_errors_total") == 100
    assert bridge.log().count("NOREPLICAS") == 1, bridge.log()


if __name__ == "__main__":
    main()
