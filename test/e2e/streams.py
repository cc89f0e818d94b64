"""Readers of event streams on raw sockets: one, or thousands at once from one thread."""
import collections
import errno
import select
import socket
import time

from support import Expired, PAUSE_S, STEP_S, deadline

Event = collections.namedtuple("Event", "name data id")


class Chunks:
    """Takes the bytes of a chunked body apart."""

    def __init__(self):
        self.buffer = b""
        self.ended = False

    def feed(self, data):
        self.buffer += data
        out = []
        while not self.ended:
            end = self.buffer.find(b"\r\n")
            if end < 0:
                break
            size = int(self.buffer[:end].split(b";")[0], 16)
            if len(self.buffer) < end + 2 + size + 2:
                break
            assert self.buffer[end + 2 + size:end + 4 + size] == b"\r\n", "a chunk has another length than it says"
            out.append(self.buffer[end + 2:end + 2 + size])
            self.buffer = self.buffer[end + 4 + size:]
            self.ended = size == 0
        return b"".join(out)


class Parser:
    """A response that is an event stream; keeps what was said last, and all events if asked to."""

    def __init__(self, keep=False):
        self.head = b""
        self.status = None
        self.headers = {}
        self.chunks = None
        self.line = b""
        self.name, self.data, self.id = "", [], None
        self.retry_ms = None
        self.comments = []
        self.events = [] if keep else None
        self.newest = None   # data of the last event without a name
        self.snapshots = 0   # how many of these there were
        self.errors = []     # data of load-error events
        self.end = None      # data of the end event

    def feed(self, data):
        if self.status is None:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            data = self.head[end + 4:]
            self.read_head(self.head[:end].decode("latin-1"))
        if self.chunks:
            data = self.chunks.feed(data)
        lines = (self.line + data).split(b"\n")
        self.line = lines.pop()
        for line in lines:
            self.read_line(line.rstrip(b"\r").decode())

    def read_head(self, head):
        first, *rest = head.split("\r\n")
        self.status = int(first.split(" ")[1])
        for line in rest:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        if "chunked" in self.headers.get("transfer-encoding", ""):
            self.chunks = Chunks()

    def read_line(self, line):
        if not line:
            self.dispatch()
            return
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "":
            self.comments.append(value)
        elif field == "data":
            self.data.append(value)
        elif field == "event":
            self.name = value
        elif field == "id":
            self.id = value
        elif field == "retry":
            self.retry_ms = int(value)

    def dispatch(self):
        if self.data:
            event = Event(self.name, "\n".join(self.data), self.id)
            if self.events is not None:
                self.events.append(event)
            if event.name == "":
                self.newest = event.data
                self.snapshots += 1
            elif event.name == "load-error":
                self.errors.append(event.data)
            elif event.name == "end":
                self.end = event.data
        self.name, self.data, self.id = "", [], None

    @property
    def count(self):
        return int(self.newest) if self.newest is not None else None


def head_of(path, headers=None, version="1.1"):
    lines = ["GET %s HTTP/%s" % (path, version), "Host: localhost", "Accept: text/event-stream"]
    lines += ["%s: %s" % pair for pair in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


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

    def open(self, count, ports, path):
        for number in range(count):
            self.waiting.append((ports[number % len(ports)], path))
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
            port, path = self.waiting.popleft()
            sock = socket.socket()
            sock.setblocking(False)
            result = sock.connect_ex(("127.0.0.1", port))
            assert result in (0, errno.EINPROGRESS), "connect: " + errno.errorcode[result]
            parser = Parser()
            parser.port, parser.path = port, path
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
        sock.send(head_of(parser.path))
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
