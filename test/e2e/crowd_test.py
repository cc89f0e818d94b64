"""Many streams, many publishes, and readers that do not read (contract 4.2, 4.3, 6.1, 6.2; issue 2)."""
import resource
import socket
import time

from support import SLOW, deadline, main, test, until
from streams import Crowd, head_of


def room_for_streams(wanted):
    """As many as the limit of descriptors allows, on each side; under 2,000 the test says nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(wanted, hard - 200)
    assert count >= 2000, "the limit of descriptors (%d) is too low for this test" % hard
    return count


@test
def ten_thousand_streams_and_one_publish_are_one_load(case):
    # contract 4.3
    count = room_for_streams(10000)
    bridge = case.bridge("--threads", "2")
    crowd = Crowd()
    case.defer(crowd.close)
    crowd.open(count, [bridge.port], "/live/counter")
    crowd.until(lambda: crowd.all_show(0), 5)
    assert bridge.metric("freshet_streams") == count
    # Streams that joined while a load was out took its result; far fewer loads than streams.
    assert bridge.metric("freshet_loads_total") < count / 10
    before = bridge.metric("freshet_loads_total")
    assert bridge.increment() == 1
    crowd.until(lambda: crowd.all_show(1), 5)
    assert bridge.metric("freshet_loads_total") == before + 1
    assert crowd.lost == 0


@test
def a_burst_of_a_thousand_publishes_ends_on_the_last_count(case):
    # contract 4.2: at most one running and one trailing load at a time, so never more loads than publishes
    redis = case.redis()
    a, b = case.bridge(redis=redis), case.bridge(redis=redis)
    for bridge in (a, b):
        until(bridge.ready)
    crowd = Crowd()
    case.defer(crowd.close)
    crowd.open(200, [a.port, b.port], "/live/counter")
    crowd.until(lambda: crowd.all_show(0))
    before = {i: i.metrics() for i in (a, b)}
    burst(a.port, 1000)
    crowd.until(lambda: crowd.all_show(1000), 5)
    # The streams show the last count as soon as it is stored, the last publishes may still be on their way.
    # In the end each was either the cause of a load or stood for by one. A sees all thousand; to B a signal that
    # still waits in A stands for the next one (contract 3.4).
    crowd.until(lambda: loads_and_collapsed(a, before) == 1000, what="all are accounted for on A")
    crowd.until(lambda: a.metric("freshet_bus_queued") == 0, what="A has sent all")
    crowd.until(lambda: loads_and_collapsed(b, before) == grown(b, before, "freshet_messages_total") ==
                grown(a, before, "freshet_messages_total"), what="all are accounted for on B")
    # contract 3.3: the echoes loaded nothing
    assert grown(a, before, "freshet_messages_echo_total") == grown(a, before, "freshet_messages_total")
    assert crowd.lost == 0


def loads_and_collapsed(instance, before):
    return grown(instance, before, "freshet_loads_total") + grown(instance, before, "freshet_loads_collapsed_total")


def grown(instance, before, name):
    return instance.metric(name) - before[instance][name]


def burst(port, count):
    """Increments as fast as one connection takes them, all sent before the first answer is read."""
    with socket.create_connection(("127.0.0.1", port), timeout=deadline(3)) as connection:
        one = b"POST /counter/increment HTTP/1.1\r\nHost: localhost\r\n\r\n"
        left, got = count, b""
        while left:
            part = min(left, 50)
            connection.sendall(one * part)
            left -= part
            while got.count(b"HTTP/1.1 200") < count - left:
                piece = connection.recv(65536)
                assert piece, "closed after %d answers" % got.count(b"HTTP/1.1 200")
                got += piece


@test
def a_reader_that_stops_does_not_hold_the_others(case):
    # contract 6.1: memory flat, the others not slower; 6.2: closed after the write timeout (30 s by default)
    bridge = case.bridge("--threads", "2")
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", bridge.port))
    case.defer(deaf.close)
    for number in range(60):
        bridge.add_task("big", "%03d " % number + "x" * 190)
    crowd = Crowd()
    case.defer(crowd.close)
    crowd.open(1000, [bridge.port], "/live/board/big")
    crowd.until(lambda: all(p.snapshots for p in crowd.parsers()), 3)
    alone = [timed_task(bridge, crowd, number) for number in range(5)]
    deaf.sendall(head_of("/live/board/big"))
    until(lambda: bridge.metric("freshet_streams") == 1001)
    beside = [timed_task(bridge, crowd, number) for number in range(10)]
    memory = bridge.memory_kib()
    beside += [timed_task(bridge, crowd, number) for number in range(10)]
    assert bridge.memory_kib() - memory < 16384, "%d KiB more" % (bridge.memory_kib() - memory)
    assert sorted(beside)[len(beside) // 2] < 5 * sorted(alone)[len(alone) // 2], (alone, beside)
    closed = 'freshet_streams_closed_total{reason="write-timeout"}'
    crowd.until(lambda: bridge.metrics().get(closed) == 1, 31 / SLOW, "the deaf reader is closed")
    assert crowd.lost == 0


def timed_task(bridge, crowd, number):
    """Seconds until each stream has one more snapshot."""
    seen = [(p, p.snapshots) for p in crowd.parsers()]
    started = time.monotonic()
    bridge.add_task("big", "more %d" % number)
    crowd.until(lambda: all(p.snapshots > before for p, before in seen), 3)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
