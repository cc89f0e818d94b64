"""Event streams that are read while somebody waits for something, with the times at which things came."""
import select
import socket
import time

from wire import Parser, head_of


class Stream(Parser):
    """A client of one event stream, with the times at which things came."""

    def __init__(self, port, path, receive_bytes=None):
        super().__init__()
        self.socket = socket.socket()
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect(("127.0.0.1", port))
        self.named = []  # (when, event): those that are no snapshots
        self.heard = []  # (when, comment, silence before it)
        self.now = self.newest_at = self.heard_at = self.closed_at = None
        self.asked_at = time.monotonic()
        self.socket.sendall(head_of(path))

    def take(self, data, now):
        self.now = now
        self.feed(data)
        if self.status not in (None, 200):
            raise RuntimeError(f"refused: {self.status}")

    def take_comment(self, text):
        self.heard.append((self.now, text, None if self.heard_at is None else self.now - self.heard_at))
        self.heard_at = self.now

    def take_event(self, event):
        super().take_event(event)
        self.heard_at = self.now
        if event.name == "":
            self.newest_at = self.now
        else:
            self.named.append((self.now, event))

    def shows(self, text):
        return self.newest is not None and text in self.newest

    def first(self, name):
        """When the first event of this name came, and its data."""
        return next(((when, event.data) for when, event in self.named if event.name == name), (None, None))


class Streams:
    """Streams that are read while somebody waits for something. Those that are `stuck` are never read here."""

    def __init__(self):
        self.poll = select.epoll()
        self.by_fd = {}
        self.all = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for stream in self.all:
            stream.socket.close()
        self.poll.close()

    def open(self, port, path, receive_bytes=None, stuck=False):
        return self.add(Stream(port, path, receive_bytes), stuck)

    def add(self, stream, stuck=False):
        self.all.append(stream)
        self.by_fd[stream.socket.fileno()] = stream
        # A closed connection is told without being asked for.
        self.poll.register(stream.socket.fileno(), 0 if stuck else select.EPOLLIN)
        return stream

    def until(self, condition, limit_s):
        """Whether condition() came true."""
        end = time.monotonic() + limit_s
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                return False
            for fd, events in self.poll.poll(left, 1024):
                self.read(fd, events)
        return True

    def read(self, fd, events):
        stream, data = self.by_fd[fd], b""
        if events & select.EPOLLIN:
            try:
                data = stream.socket.recv(65536)
            except ConnectionError:
                pass
        if data:
            stream.take(data, time.monotonic())
        else:
            stream.closed_at = time.monotonic()
            self.poll.unregister(fd)
            del self.by_fd[fd]

    def need(self, condition, limit_s, what):
        if not self.until(condition, limit_s):
            raise RuntimeError(f"not within {limit_s:g} s: {what}")

    def show(self, text):
        return all(stream.shows(text) for stream in self.all)

    def closed(self):
        return sum(stream.closed_at is not None for stream in self.all)
