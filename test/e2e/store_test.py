"""Requests that wait for the store while it, the client or the bridge goes away (contract 6.4, 7.2)."""
import os
import signal
import socket

from support import counted, deadline, main, test, until

POST = b"POST /counter/increment HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


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
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
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
    before = bridge.descriptors()
    for _ in range(50):
        ask(bridge).close()
    os.kill(redis.process.pid, signal.SIGCONT)
    until(lambda: counted(redis.command("GET", "freshet:counter")) == 51, 3, "all are made")
    until(lambda: bridge.descriptors() <= before, 3, "their connections are given back")
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


if __name__ == "__main__":
    main()
