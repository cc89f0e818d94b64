"""What one client may cost an instance (contract 6.5)."""
import socket
import time

from support import SANITIZE, deadline, main, test, until
from streams import Stream


def ask(port, path, source="127.0.0.1"):
    """A request whose answer begins; the connection stays open."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=deadline(1), source_address=(source, 0))
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
    return connection


def read_until(connection, stop):
    got = b""
    while stop not in got:
        piece = connection.recv(65536)
        assert piece, got[-2000:]
        got += piece
    return got


def many_new_boards(stream):
    return "/live?" + "&".join("v=/board/%d-%d~" % (stream, view) for view in range(64))


@test
def who_asks_for_new_boards_without_end_costs_no_more_than_allowed(case):
    # contract 6.5: each view of a stream counts
    redis = case.redis()
    bridge = case.bridge("--max-new-topics-per-client", "200", redis=redis)
    until(bridge.ready)
    begin = time.monotonic()
    streams = 0
    refused = b""
    while time.monotonic() < begin + 2 or not refused:
        with ask(bridge.port, many_new_boards(streams)) as connection:
            got = read_until(connection, b"/board/%d-63" % streams)
            if b'"code":"max-new-topics-per-peer"' in got:
                refused = got
        streams += 1
    subscribed = bridge.metric("freshet_topics")
    assert subscribed <= 200 + 200 * (time.monotonic() - begin), subscribed
    assert streams * 64 > 2 * subscribed, "the client was too slow for this test: %d streams" % streams
    assert bridge.metric("freshet_streams_refused_total") > 0
    # The next one gets what it asks for: nobody has used up what is there for all.
    with ask(bridge.port, "/live/board/mine", source="127.0.0.2") as other:
        read_until(other, b'"boardId":"mine"')
        # So does the same client, for what others look at.
        with ask(bridge.port, "/live/board/mine") as known:
            read_until(known, b'"boardId":"mine"')


@test
def views_of_one_client_are_counted_and_given_back(case):
    # contract 6.5
    bridge = case.bridge("--max-streams-per-client", "100")
    with ask(bridge.port, many_new_boards(0)) as first:
        read_until(first, b"/board/0-63")
        with ask(bridge.port, many_new_boards(1)) as second:
            read_until(second, b"/board/1-63")
            with ask(bridge.port, "/live/counter") as over:
                assert b'"code":"max-streams-per-peer"' in read_until(over, b"event: end")
            with ask(bridge.port, "/live/counter", source="127.0.0.2") as other:
                read_until(other, b"data: 0")

    def has_room():
        with ask(bridge.port, "/live/counter") as connection:
            return b"data: 0" in read_until(connection, b"data: ")

    until(has_room)


@test
def topics_are_bounded_for_all_together(case):
    # contract 6.5
    bridge = case.bridge("--max-topics", "70")
    with ask(bridge.port, many_new_boards(0)) as first:
        read_until(first, b"/board/0-63")
        with ask(bridge.port, many_new_boards(1)) as second:
            assert b'"code":"max-topics"' in read_until(second, b"/board/1-63")
            assert bridge.metric("freshet_topics") == 70



def pipeline(redis, channel, bodies):
    """Publishes without waiting for the answers one by one."""
    with socket.create_connection(("127.0.0.1", redis.port), timeout=deadline(3)) as connection:
        for body in bodies:
            connection.sendall(b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" %
                               (len(channel), channel, len(body), body))
        got = 0
        while got < len(bodies):
            piece = connection.recv(65536)
            assert piece
            got += piece.count(b"\r\n")


@test
def who_says_without_end_that_everything_has_changed_is_slowed_down(case):
    # contract 2.4
    redis = case.redis()
    bridge = case.bridge(redis=redis)
    until(bridge.ready)
    boards = 20
    streams = [Stream(bridge.port, "/live/board/b%d" % i) for i in range(boards)]
    counter = Stream(bridge.port, "/live/counter").shows(0)
    for stream in streams:
        stream.until(lambda s: s.events)
    before, gaps = bridge.metric("freshet_loads_total"), bridge.metric("freshet_gaps_total")
    begin = time.monotonic()
    for _ in range(10):
        pipeline(redis, b"freshet:/everything", [b""] * 1000)
    until(lambda: bridge.metric("freshet_gaps_total") == gaps + 10000)
    rounds = 2 + (time.monotonic() - begin)  # at once, and then once a second at most
    assert bridge.metric("freshet_loads_total") - before <= rounds * (boards + 1)
    # The last of them still counts, and what it stands for is shown.
    redis.command("INCR", "freshet:counter")
    pipeline(redis, b"freshet:/everything", [b""])
    counter.shows(1)
    assert bridge.metric("freshet_bus_reconnects_total") == 0
    for stream in streams + [counter]:
        stream.close()


@test
def floods_of_publishes_cost_what_they_may(case):
    # contract 2.4, 2.2, 4.2: to topics without streams nothing, else one load and one after it at a time
    redis = case.redis()
    bridge = case.bridge(redis=redis)
    until(bridge.ready)
    counter = Stream(bridge.port, "/live/counter").shows(0)
    messages, loads = bridge.metric("freshet_messages_total"), bridge.metric("freshet_loads_total")
    pipeline(redis, b"freshet:board/nobody", [b""] * 5000)
    assert bridge.metric("freshet_messages_total") == messages
    assert bridge.metric("freshet_loads_total") == loads
    memory = bridge.memory_kib()
    bodies = [b"", b"x" * 100, b"\x95\x01\xa1", b"\xdd\xff\xff\xff\xff", b"\x91" * 60000, b"y" * 200000] * 50
    # 13 MB: Redis closes a subscriber for which more than 32 MB wait, and a busy machine reads slowly.
    pipeline(redis, b"freshet:counter", bodies)
    until(lambda: bridge.metric("freshet_messages_total") == messages + len(bodies))
    assert bridge.metric("freshet_messages_foreign_total") == len(bodies)
    # What a sanitizer keeps from being used again is not the program's.
    assert bridge.memory_kib() < memory + (512 if SANITIZE else 16) * 1024
    redis.command("INCR", "freshet:counter")
    pipeline(redis, b"freshet:counter", [b""])
    counter.shows(1)
    grown = bridge.metric("freshet_loads_total") - loads
    assert 1 <= grown and grown + bridge.metric("freshet_loads_collapsed_total") == len(bodies) + 1
    assert bridge.metric("freshet_bus_reconnects_total") == 0
    counter.close()


def is_let_in(bridge, *forwarded, source="127.0.0.1"):
    """Whether a stream for whom the headers name is opened; it stays open then."""
    lines = "".join("X-Forwarded-For: %s\r\n" % value for value in forwarded)
    connection = socket.create_connection(("127.0.0.1", bridge.port), timeout=deadline(1), source_address=(source, 0))
    connection.sendall(("GET /live/counter HTTP/1.1\r\nHost: x\r\n%s\r\n" % lines).encode())
    got = b""
    while b"\ndata:" not in got:
        piece = connection.recv(65536)
        assert piece, got
        got += piece
    if b"event: end" in got:
        connection.close()
        return False
    bridge.open.append(connection)
    return True


@test
def a_named_proxy_says_who_the_client_is_and_nobody_else(case):
    # contract 6.5
    bridge = case.bridge("--max-streams-per-client", "1", "--trust-proxy", "127.0.0.1,10.0.0.0/8,2001:db8::/32")
    bridge.open = []
    assert is_let_in(bridge, "198.51.100.1")
    for again in (["198.51.100.1"], [" 198.51.100.1:4711 "], ["6.6.6.6, 198.51.100.1"], ["198.51.100.1, 10.1.2.3"],
                  ["198.51.100.1, 2001:db8::7,127.0.0.1"], ["6.6.6.6", "198.51.100.1"], ["198.51.100.1", "10.0.0.1"],
                  ["nonsense, 198.51.100.1"]):
        assert not is_let_in(bridge, *again), again
    assert is_let_in(bridge, "198.51.100.2"), "another client"
    assert is_let_in(bridge, "198.51.100.1, 11.0.0.1"), "11.0.0.1 is no proxy's: it is the client"
    assert is_let_in(bridge, "[2001:db9::1]:443")
    assert not is_let_in(bridge, "2001:db9::2"), "of the same /64"
    assert is_let_in(bridge), "the proxy for itself"
    assert not is_let_in(bridge, "nonsense"), "the same"
    assert not is_let_in(bridge, "")
    assert is_let_in(bridge, "198.51.100.3", source="127.0.0.2"), "not named: it is the client itself"
    assert not is_let_in(bridge, "198.51.100.4", source="127.0.0.2")
    for connection in bridge.open:
        connection.close()


if __name__ == "__main__":
    main()
