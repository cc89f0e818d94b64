"""What one client may cost an instance (contract 6.5)."""
import socket
import time

from support import deadline, main, test, until


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


if __name__ == "__main__":
    main()
