"""How streams and the process end (contract 6.3, 6.4; issue 2)."""
import json
import os
import re
import signal
import socket

from support import deadline, main, request, test, until
from streams import Crowd, Stream, head_of


@test
def a_client_that_leaves_is_gone_from_the_metrics(case):
    # contract 6.3: at once, everything given back within a second; a half-close counts
    bridge = case.bridge()
    streams = [Stream(bridge.port, "/live/counter").shows(0) for _ in range(3)]
    until(lambda: bridge.metric("freshet_streams") == 3)
    streams[0].close()
    until(lambda: bridge.metric("freshet_streams") == 2)
    streams[1].socket.shutdown(socket.SHUT_WR)
    until(lambda: bridge.metric("freshet_streams") == 1)
    streams[1].ends()
    streams[2].socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    streams[2].close()
    until(lambda: bridge.metric("freshet_streams") == 0)


@test
def no_socket_is_left_after_clients_are_gone(case):
    bridge = case.bridge("--threads", "2")
    Stream(bridge.port, "/live/counter").shows(0).close()
    until(lambda: bridge.metric("freshet_streams") == 0)
    before = bridge.sockets()
    for _ in range(3):
        crowd = Crowd().open(200, [bridge.port], "/live/counter")
        for number in range(50):
            with socket.create_connection(("127.0.0.1", bridge.port)) as half:
                half.sendall(head_of("/live/board/b%d" % number)[:20 + number])
        crowd.close()
    until(lambda: bridge.metric("freshet_streams") == 0)
    until(lambda: bridge.sockets() <= before, what="they are given back")


@test
def a_client_that_floods_is_closed_and_costs_no_memory(case):
    # contract 6.3: what a client sends is discarded, past 16 KiB it is closed
    bridge = case.bridge("--threads", "1")
    stream = Stream(bridge.port, "/live/counter").shows(0)
    before = bridge.memory_kib()
    stream.socket.setblocking(True)
    stream.socket.settimeout(deadline(1))
    try:
        for _ in range(500):
            stream.socket.sendall(b"x" * 65536)
        raise AssertionError("32 MB were taken from a client of a stream")
    except ConnectionError:
        pass
    until(lambda: bridge.metric("freshet_streams") == 0)
    assert bridge.memory_kib() - before < 8192


@test
def sigterm_ends_every_stream_with_going_away(case):
    # contract 6.4
    bridge = case.bridge("--threads", "2")
    crowd = Crowd().open(100, [bridge.port], "/live/counter")
    crowd.until(lambda: crowd.all_show(0))
    bystanders = crowd.parsers()
    bridge.signal(signal.SIGTERM)
    crowd.until(lambda: crowd.lost == 100, 3, "all streams are closed")
    for parser in bystanders:
        end = json.loads(parser.end)
        assert end["code"] == "going-away" and end["retry_ms"] >= 0, end
    assert len({json.loads(parser.end)["retry_ms"] for parser in bystanders}) > 1, "all come back at once"
    assert bridge.wait(3) == 0


@test
def sigusr1_writes_what_it_knows(case):
    # contract 8.1: and it goes on as before
    bridge = case.bridge("--threads", "2")
    crowd = Crowd().open(3, [bridge.port], "/live/counter")
    crowd.until(lambda: crowd.all_show(0))
    bridge.signal(signal.SIGUSR1)
    until(lambda: len(re.findall("  stream 0x[0-9a-f]+: idle for ", bridge.log())) == 3 and "\nworker 1\n" in bridge.log())
    assert "  topic counter: confirmed, " in bridge.log()
    assert "  feed counter of counter: idle, shared, " in bridge.log()
    assert bridge.log().count("counter of counter, snapshot 1 of 1, error 0 of 0\n") == 3
    assert bridge.metric("freshet_streams") == 3


@test
def a_stream_that_does_not_read_does_not_keep_the_process(case):
    # contract 6.4: at the deadline the rest is cut
    bridge = case.bridge()
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", bridge.port))
    case.defer(deaf.close)
    stuff(bridge, deaf)
    bridge.signal(signal.SIGTERM)
    assert bridge.wait(10) == 0


@test
def a_second_signal_ends_at_once(case):
    # The first signal has to wait for a stream that takes nothing, the second does not. It leaves threads behind.
    tsan = os.environ.get("TSAN_OPTIONS", "") + ":report_thread_leaks=0"
    bridge = case.bridge(env={"TSAN_OPTIONS": tsan, "LSAN_OPTIONS": "detect_leaks=0"})
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", bridge.port))
    case.defer(deaf.close)
    stuff(bridge, deaf)
    bridge.signal(signal.SIGINT)
    # It has begun to drain when a new client is turned away.
    until(lambda: drains(bridge), what="the bridge drains")
    bridge.signal(signal.SIGINT)
    # As a shell says it of a program that a signal ended; a drained one leaves with 0.
    bridge.expected_exit = 128 + signal.SIGINT
    assert bridge.wait(0.5) == bridge.expected_exit


def stuff(bridge, deaf):
    """Opens a stream on a socket that nobody reads, and sends it more than the kernel takes."""
    for number in range(100):
        bridge.add_task("big", "%03d " % number + "x" * 190)
    deaf.sendall(head_of("/live/board/big"))
    until(lambda: bridge.metric("freshet_streams") == 1)
    for number in range(15):
        loads = bridge.metric("freshet_loads_total")
        bridge.add_task("big", "%03d " % number + "y" * 190)
        until(lambda: bridge.metric("freshet_loads_total") > loads)
    until(lambda: bridge.metric("freshet_snapshots_pushed_total") + 2 < bridge.metric("freshet_loads_total"),
          what="frames wait for the deaf reader")


def drains(bridge):
    try:
        return not bridge.running() or request(bridge.port, "GET", "/health/ready").status != 200
    except ConnectionRefusedError:
        return True


if __name__ == "__main__":
    main()
