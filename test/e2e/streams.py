"""Readers of event streams on raw sockets: one, or thousands at once from one thread."""
import collections
import errno
import select
import socket
import time

from support import Expired, PAUSE_S, STEP_S, deadline
from wire import Parser, head_of


class Stream(Parser):
    """One stream, read when somebody waits for something in it."""

    def __init__(self, port, path, headers=None, version="1.1", address="127.0.0.1"):
        super().__init__(keep=True)
        self.closed = False
        self.socket = socket.create_connection((address, port), timeout=deadline(1))
        self.socket.sendall(head_of(path, headers, version))

    def until(self, condition, stated_s=STEP_S, what=None):
        end = time.monotonic() + deadline(stated_s)
        while not condition(self):
            left = end - time.monotonic()
            if left <= 0 or self.closed:
                raise Expired("%s: %s; events so far: %r" %
                              ("the stream ended" if self.closed else "not within %g s" % deadline(stated_s),
                               what or "the condition", self.events[-5:]))
            self.read(min(left, 0.5))
        return self

    def read(self, seconds):
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return
        except ConnectionError:
            data = b""
        self.closed = not data
        self.feed(data)

    def opened(self):
        return self.until(lambda s: s.comments, what="the first bytes")

    def shows(self, data, stated_s=STEP_S):
        return self.until(lambda s: s.newest == str(data), stated_s, "shows %s" % data)

    def ends(self, stated_s=STEP_S):
        return self.until(lambda s: s.closed, stated_s, "the connection closes")

    def close(self):
        self.socket.close()


class Crowd:
    """Many streams. They are read while until() waits, and their data wait in the kernel otherwise."""

    CONNECTING = 200  # at once; a listener has a queue

    def __init__(self):
        self.poll = select.epoll()
        self.streams = {}    # by descriptor
        self.connecting = set()
        self.lost = 0        # closed by the other side
        self.waiting = collections.deque()

    def open(self, count, ports, path, headers=None):
        for number in range(count):
            self.waiting.append((ports[number % len(ports)], path, headers))
        self.until(lambda: not self.waiting and not self.connecting and
                   all(p.status for p in self.parsers()), 10, "%d streams are open" % count)
        bad = [p.status for p in self.parsers() if p.status != 200]
        assert not bad and not self.lost, "refused: %r, lost: %d" % (bad[:5], self.lost)
        return self

    def parsers(self):
        return [parser for _, parser in self.streams.values()]

    def all_show(self, count):
        return all(p.newest is not None and p.count >= count for p in self.parsers())

    def until(self, condition, stated_s=STEP_S, what=None):
        """Reads until condition() holds. OSError in it counts as not yet."""
        end = time.monotonic() + deadline(stated_s)
        while True:
            self.connect_more()
            quiet = self.read_once()
            if quiet or self.waiting or self.connecting:
                try:
                    if condition():
                        return self
                except OSError:
                    pass
            if time.monotonic() > end:
                raise Expired("not within %g s: %s; %s" % (deadline(stated_s), what or "the condition",
                                                           self.summary()))

    def summary(self):
        counts = collections.Counter(p.newest for p in self.parsers())
        return "%d streams, %d lost, newest: %r" % (len(self.streams), self.lost, counts.most_common(5))

    def connect_more(self):
        while self.waiting and len(self.connecting) < self.CONNECTING:
            port, path, headers = self.waiting.popleft()
            sock = socket.socket()
            sock.setblocking(False)
            result = sock.connect_ex(("127.0.0.1", port))
            assert result in (0, errno.EINPROGRESS), "connect: " + errno.errorcode[result]
            parser = Parser()
            parser.port, parser.path, parser.asked = port, path, headers
            self.streams[sock.fileno()] = (sock, parser)
            self.connecting.add(sock.fileno())
            self.poll.register(sock.fileno(), select.EPOLLOUT)

    def read_once(self):
        """True when nothing came in for a moment."""
        ready = self.poll.poll(PAUSE_S, 1024)
        for number, events in ready:
            sock, parser = self.streams[number]
            if number in self.connecting:
                self.connected(number, sock, parser)
            else:
                self.read(number, sock, parser)
        return len(ready) < 1024

    def connected(self, number, sock, parser):
        problem = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert problem == 0, "connect: " + errno.errorcode[problem]
        sock.send(head_of(parser.path, parser.asked))
        self.connecting.discard(number)
        self.poll.modify(number, select.EPOLLIN)

    def read(self, number, sock, parser):
        try:
            data = sock.recv(65536)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if data:
            parser.feed(data)
        else:
            self.lost += 1
            self.poll.unregister(number)
            sock.close()
            del self.streams[number]

    def close(self):
        for sock, _ in self.streams.values():
            sock.close()
        self.streams.clear()
        self.poll.close()
