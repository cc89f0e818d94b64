"""The checks: each makes something happen, and answers rows with how long that took."""
import json
import os
import signal
import socket
import struct
import subprocess
import time
import urllib.parse

from instances import Redis, ask_until, health, increment, metrics, streams_open
from rows import Row
from streams import Streams

KIB = 1024

# Stated by the contract; what it calls "at once" is this here.
AT_ONCE_S = 0.1
HEAL_S = 1.0
GIVE_BACK_S = 1.0
HEARTBEAT_S = 15.0
GRACE_S = 0.25
LINK_TIMEOUT_S = 5.0
WRITE_TIMEOUT_S = 30.0
WRITE_TIMEOUT_STEP_BYTES = 64 * KIB
CLIENT_BYTES = 16 * KIB
# Stated by bridge/README.md, and its drain's options.
STORE_DEADLINE_S = 1.0
LEAVE_S = 7.0
DRAIN_DEADLINE_S = 5.0
DRAIN_SPREAD_MS = 2000

HEARTBEAT_EARLY_S = 0.1
HEARTBEAT_LATE = 0.1  # of the heartbeat
CLOSE_EARLY_S = 0.001  # a server that counts whole milliseconds begins up to one earlier
CLOSE_LATE_S = 1.5
PUBLISHES = 20
GONE = 200
DRAINED = 100
TOPICS = 50  # less than a loader's 64 loads at once: while each waits for Redis, a new one still has its turn
STREAMS_EACH = 2  # of a topic, on each instance
REDIS_AWAY_S = 10.0  # by then each link is at its longest pause, and failed loads are at long ones
REDIS_AWAY_QUICK_S = 2.0
TRICKLE_EVERY_S = 0.25
TRICKLE_BYTES = 16  # so little that the frame is not through in its time
KEPT_S = WRITE_TIMEOUT_S + 1.5  # so long a larger frame is looked at


def board_path(board):
    return f"/live/board/{board}"


def set_title(board, title, tasks=1):
    """The command that makes a board of so many tasks; the first one's title is this."""
    fields = ["next", tasks, "1:title", title, "1:column", "todo"]
    for task in range(2, tasks + 1):
        fields += [f"{task}:title", "x" * 200, f"{task}:column", "todo"]
    return "HSET", f"freshet:board/{board}", *fields


def publish(board):
    return "PUBLISH", f"freshet:board/{board}", ""


class Checks:
    def __init__(self, options):
        self.options = options
        self.a, self.b, self.own = (urllib.parse.urlsplit(url).port for url in options.urls)
        self.redis = Redis(options.dir, options.redis)

    def limit(self, stated_s):
        return stated_s * self.options.slack

    def time(self, name, point, measured_s, stated_s, low_s=None):
        return Row(name, point, measured_s, low_s, self.limit(stated_s))

    def wait_s(self, stated_s):
        """For so long something is waited for: late is something else than never."""
        return 2 * self.limit(stated_s) + 1

    def connect(self):
        with Streams() as streams:
            stream = streams.open(self.a, "/live/counter")
            streams.until(lambda: stream.heard, self.wait_s(AT_ONCE_S))
            when, text, _ = stream.heard[0] if stream.heard else (None, "", None)
        announced = text.partition("freshet 1 heartbeat=")[2]
        stated_ms = HEARTBEAT_S * 1000
        return [self.time("first bytes of a stream", "5.1", since(stream.asked_at, when), AT_ONCE_S),
                Row("heartbeat that they announce", "5.1", int(announced or 0), stated_ms, stated_ms, "ms")]

    def echo(self):
        with Streams() as streams:
            for port in (self.a, self.b):
                streams.open(port, "/live/counter")
            streams.need(lambda: all(stream.newest for stream in streams.all), self.wait_s(HEAL_S), "a count")
            before = metrics(self.a), metrics(self.b)
            for number in range(1, PUBLISHES + 1):
                count = increment(self.a)
                streams.need(lambda count=count: all(stream.newest == count for stream in streams.all),
                             self.wait_s(HEAL_S), f"both show {count}")
                if ask_until(lambda number=number: self.is_settled(before, number), self.wait_s(HEAL_S)) is None:
                    raise RuntimeError("a publish does not come back from Redis")
            after = metrics(self.a), metrics(self.b)
        rows = []
        for name, at, metric in ((f"loads on A for {PUBLISHES} publishes there", 0, "freshet_loads_total"),
                                 ("echoes there that loaded nothing", 0, "freshet_messages_echo_total"),
                                 ("loads on B", 1, "freshet_loads_total")):
            rows.append(Row(name, "3.3", after[at][metric] - before[at][metric], PUBLISHES, PUBLISHES, ""))
        return rows

    def is_settled(self, before, publishes):
        """Both have had so many messages, and what those led to is over."""
        now = metrics(self.a), metrics(self.b)
        return all(new["freshet_messages_total"] - old["freshet_messages_total"] >= publishes
                   and new["freshet_loads_running"] == 0 for old, new in zip(before, now))

    def gone(self):
        with Streams() as streams:
            before = streams_open(self.b)
            for _ in range(GONE):
                streams.open(self.b, "/live/counter")
            streams.need(lambda: all(stream.newest for stream in streams.all), self.wait_s(HEAL_S), "all are open")
            half, quarter = GONE // 2, GONE // 4
            reset, halved, closed = streams.all[:half], streams.all[half:-quarter], streams.all[-quarter:]
            began = time.monotonic()
            for stream in halved:
                stream.socket.shutdown(socket.SHUT_WR)
            for stream in reset:
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for stream in reset + closed:
                stream.socket.close()
            gone_at = ask_until(lambda: streams_open(self.b) == before, self.wait_s(GIVE_BACK_S))
            streams.until(lambda: all(stream.closed_at for stream in halved), self.wait_s(GIVE_BACK_S))
            closed_at = latest(stream.closed_at for stream in halved)
        return [self.time(f"{GONE} gone clients, half of them by reset", "6.3", since(began, gone_at), GIVE_BACK_S),
                self.time("half-closed ones closed by the server", "6.3", since(began, closed_at), GIVE_BACK_S)]

    def flood(self):
        with Streams() as streams:
            stream = streams.open(self.b, "/live/counter")
            streams.need(lambda: stream.newest, self.wait_s(HEAL_S), "the count")
            stream.socket.sendall(b"x" * CLIENT_BYTES)
            began = time.monotonic()
            count = increment(self.b)
            streams.until(lambda: stream.newest == count or stream.closed_at, self.wait_s(HEAL_S))
            shown_at = stream.newest_at if stream.newest == count else None
            rows = [self.time("next state after a client sent 16 KiB", "6.3", since(began, shown_at), HEAL_S)]
            began = time.monotonic()
            if not stream.closed_at:
                stream.socket.sendall(b"x")
            streams.until(lambda: stream.closed_at, self.wait_s(AT_ONCE_S))
        rows.append(self.time("closed for a byte more", "6.3", since(began, stream.closed_at), AT_ONCE_S))
        return rows

    def heartbeat(self):
        with Streams() as streams:
            for _ in range(10):
                streams.open(self.a, board_path("quiet"))
            latest_s = HEARTBEAT_S * (1 + HEARTBEAT_LATE)
            # The first comment is the greeting.
            streams.until(lambda: all(len(stream.heard) >= 3 for stream in streams.all), 2 * latest_s + 2)
            silences = [silence for stream in streams.all for _, _, silence in stream.heard[1:]]
            missing = any(len(stream.heard) < 3 for stream in streams.all)
        rows = [Row("shortest silence before a comment", "5.4", min(silences, default=None),
                    HEARTBEAT_S - HEARTBEAT_EARLY_S, None),
                Row("longest silence", "5.4", None if missing else max(silences), None, latest_s)]
        return rows

    def healing(self):
        boards = [f"h{number}" for number in range(TOPICS)]
        with Streams() as streams:
            self.redis.run(*(set_title(board, "before") for board in boards))
            for board in boards:
                for port in (self.a, self.b) * STREAMS_EACH:
                    streams.open(port, board_path(board))
            streams.need(lambda: streams.show("before"), self.wait_s(HEAL_S), "all show their boards")
            self.redis.kill()
            began = time.monotonic()
            self.redis.start_closed()
            self.redis.run(*(set_title(board, "after") for board in boards))
            away_s = REDIS_AWAY_QUICK_S if self.options.quick else REDIS_AWAY_S
            streams.until(lambda: False, began + away_s - time.monotonic())
            back_at = self.redis.open_port()
            fresh = streams.until(lambda: streams.show("after"), self.wait_s(away_s))
            fresh_at = latest(stream.newest_at for stream in streams.all) if fresh else None
            name = f"{len(streams.all)} streams fresh after Redis was away for {away_s:g} s"
            rows = [self.time(name, "7.4", since(back_at, fresh_at), HEAL_S),
                    Row("closed while it was away", "7.4", streams.closed(), 0, 0, "")]
            self.need_proved()
            return rows + self.half_open(boards, streams)

    def need_proved(self):
        if ask_until(lambda: all(health(port)["ready"] for port in (self.a, self.b)), self.wait_s(HEAL_S)) is None:
            raise RuntimeError("the instances are not ready")

    def half_open(self, boards, streams):
        pid = self.redis.pid
        with self.redis.connect() as client:
            began = time.monotonic()
            os.kill(pid, signal.SIGSTOP)
            try:
                found_at = ask_until(lambda: all(health(port)["bus"] == "down" for port in (self.a, self.b)),
                                     self.wait_s(LINK_TIMEOUT_S))
                rows = self.connect_while_down(streams)
                for board in [*boards, "new"]:
                    client.send(set_title(board, "again"), publish(board))
            finally:
                os.kill(pid, signal.SIGCONT)
            back_at = time.monotonic()
            fresh = streams.until(lambda: streams.show("again"), self.wait_s(HEAL_S))
        fresh_at = latest(stream.newest_at for stream in streams.all) if fresh else None
        name = f"{len(streams.all)} streams fresh after Redis goes on"
        return [self.time("half-open links found on both", "7.3", since(began, found_at), LINK_TIMEOUT_S), *rows,
                self.time(name, "7.4", since(back_at, fresh_at), HEAL_S),
                Row("closed while it stood still", "7.4", streams.closed(), 0, 0, "")]

    def connect_while_down(self, streams):
        stream = streams.open(self.a, board_path("new"))
        stated_s = GRACE_S + STORE_DEADLINE_S
        streams.until(lambda: stream.first("load-error")[0], self.wait_s(stated_s))
        began, told_at = stream.asked_at, stream.first("load-error")[0]
        first_at = stream.heard[0][0] if stream.heard else None
        return [self.time("first bytes while Redis stands still", "5.1", since(began, first_at), AT_ONCE_S),
                self.time("load-error while it does", "4.1", since(began, told_at), stated_s + AT_ONCE_S)]

    def drain(self):
        """Of an instance that is a child, because only a parent is told the exit status."""
        child = subprocess.Popen(self.options.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            with Streams() as streams:
                return self.drain_child(child, streams)
        finally:
            child.kill()
            child.wait()

    def drain_child(self, child, streams):
        if ask_until(lambda: answers(self.own), self.wait_s(HEAL_S)) is None:
            raise RuntimeError("the instance does not start")
        for _ in range(DRAINED):
            streams.open(self.own, "/live/counter")
        streams.need(lambda: all(stream.newest for stream in streams.all), self.wait_s(HEAL_S), "all are open")
        readers = list(streams.all)
        if not self.options.quick:
            self.open_stuck(streams, self.own, "drain-stuck", 32 * KIB)
            pushed = "freshet_snapshots_pushed_total"
            if ask_until(lambda: metrics(self.own)[pushed] > DRAINED, self.wait_s(HEAL_S)) is None:
                raise RuntimeError("the stuck client has no frame")
        began = time.monotonic()
        child.send_signal(signal.SIGTERM)
        streams.until(lambda: all(stream.closed_at for stream in readers), self.wait_s(DRAIN_DEADLINE_S))
        told = sum(is_going_away(stream) for stream in readers)
        closed_at = latest(stream.closed_at for stream in readers)
        streams.until(lambda: not streams.by_fd, self.wait_s(LEAVE_S))
        all_closed_at = latest(stream.closed_at for stream in streams.all)
        status, left_at = wait_for(child, self.wait_s(LEAVE_S))
        rows = [Row("streams told going-away and when to come back", "6.4", told, DRAINED, DRAINED, ""),
                self.time("they are closed", "6.4", since(began, closed_at), DRAIN_DEADLINE_S)]
        if not self.options.quick:
            # The bridge looks every 100 ms.
            rows.append(self.time("a stuck one is cut", "6.4", since(began, all_closed_at), DRAIN_DEADLINE_S + 0.5,
                                  DRAIN_DEADLINE_S - 0.1))
        return [*rows, self.time("process has left", "6.4", since(began, left_at), LEAVE_S),
                Row("its exit status", "6.4", status, 0, 0, "")]

    def open_stuck(self, streams, port, board, size):
        """A client that reads nothing of a frame of at least this size."""
        self.redis.run(set_title(board, "s0", tasks=size // 235 + 2))
        return streams.open(port, board_path(board), receive_bytes=4 * KIB, stuck=True)

    def stuck(self):
        with Streams() as streams:
            self.redis.run(set_title("stuck", "s0", tasks=110))
            reader = streams.open(self.a, board_path("stuck"))
            streams.need(lambda: reader.newest, self.wait_s(HEAL_S), "the board")
            usual = [self.change_stuck(streams, reader, number) for number in range(1, PUBLISHES + 1)]
            silent, trickling = (streams.open(self.a, board_path("stuck"), 4 * KIB, stuck=True) for _ in range(2))
            large = self.open_stuck(streams, self.a, "large", WRITE_TIMEOUT_STEP_BYTES)
            times = self.publish_on(streams, reader, (silent, trickling, large), len(usual))
            kept_until = large.closed_at or time.monotonic()
            size = len(reader.newest)
        low = WRITE_TIMEOUT_S - CLOSE_EARLY_S
        high = WRITE_TIMEOUT_S * (1 + size / WRITE_TIMEOUT_STEP_BYTES) + CLOSE_LATE_S
        name = f"frame of {size // KIB} KiB: closed is one that"
        rows = [self.time(f"{name} {how}", "6.2", since(client.asked_at, client.closed_at), high, low)
                for how, client in (("reads nothing", silent), ("trickles", trickling))]
        return [*rows, Row("frame of over 64 KiB: one that reads nothing is kept", "6.2", kept_until - large.asked_at,
                           KEPT_S, None),
                self.time(f"a client beside them, median of {len(times)}", "6.1", median(times),
                          2 * median(usual) + 0.01)]

    def change_stuck(self, streams, reader, number):
        """How long the ordinary client waits for it."""
        title = f"s{number}"
        began = time.monotonic()
        self.redis.run(set_title("stuck", title), publish("stuck"))
        streams.need(lambda: reader.shows(f'"{title}"'), self.wait_s(HEAL_S), "a change beside stuck clients")
        return reader.newest_at - began

    def publish_on(self, streams, reader, clients, number):
        """Until the first two are closed and the large frame was looked at: the times of the ordinary client."""
        silent, trickling, large = clients
        look_until = large.asked_at + KEPT_S
        give_up_at = time.monotonic() + self.wait_s(WRITE_TIMEOUT_S)
        times = []
        while not (silent.closed_at and trickling.closed_at and time.monotonic() > look_until):
            if time.monotonic() > give_up_at:
                break
            number += 1
            times.append(self.change_stuck(streams, reader, number))
            trickle(trickling)
            nudge(large)
            streams.until(lambda: False, TRICKLE_EVERY_S)
        return times


def since(began, when):
    return None if when is None else when - began


def latest(times):
    """None if one of them is missing."""
    times = list(times)
    return None if None in times else max(times, default=None)


def median(times):
    return sorted(times)[len(times) // 2]


def answers(port):
    try:
        return health(port)["ready"]
    except OSError:
        return False


def trickle(client):
    try:
        client.socket.recv(TRICKLE_BYTES, socket.MSG_DONTWAIT)
    except OSError:
        pass


def nudge(client):
    """A connection that the server's kernel gave up is gone without a word; asked, it answers with a reset."""
    try:
        client.socket.send(b"x", socket.MSG_DONTWAIT)
    except OSError:
        pass


def is_going_away(stream):
    _, data = stream.first("end")
    end = json.loads(data or "{}")
    retry_ms = end.get("retry_ms")
    return end.get("code") == "going-away" and isinstance(retry_ms, int) and 0 <= retry_ms <= DRAIN_SPREAD_MS


def wait_for(child, limit_s):
    """Its exit status, and when it was there."""
    try:
        return child.wait(limit_s), time.monotonic()
    except subprocess.TimeoutExpired:
        return None, None
