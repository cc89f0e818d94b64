"""The instances and the publishes seen from outside, each with the time at which it came."""
import collections
import http.client
import json
import select
import socket
import struct
import time

from programs import PREFIX
from wire import Parser, head_of, parse_reply

SO_TIMESTAMPNS = 35  # Linux's, which the socket module does not name
CONNECT_S = 1

Answer = collections.namedtuple("Answer", "status json")


def now_us():
    """Microseconds since 1970, as in messages: all clocks here are one machine's."""
    return time.time_ns() // 1000


class Request:
    """One that is on its way; OSError where nobody answers it."""

    def __init__(self, port, method, path, timeout_s):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        self.connection.request(method, path)

    def answer(self):
        try:
            response = self.connection.getresponse()
            return Answer(response.status, json.loads(response.read()))
        except (http.client.HTTPException, ValueError) as error:
            raise ConnectionError("no answer: %r" % error) from error
        finally:
            self.connection.close()


def request(port, method, path, timeout_s):
    return Request(port, method, path, timeout_s).answer()


class Link:
    """A connection that is read when select.poll() says so, never waiting."""

    def __init__(self, port, hello):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=CONNECT_S)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.sendall(hello)
        self.open = True

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.open = False
        self.socket.close()

    def receive(self):
        """The bytes that are there and when they came: by the kernel's note, so that it does not matter how busy this
        program was in the meantime. No bytes: it is closed now."""
        try:
            data, notes, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(16), socket.MSG_DONTWAIT)
        except ConnectionError:
            data, notes = b"", []
        if not data:
            self.close()
        for level, kind, value in notes:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("qq", value)
                return data, seconds * 1000000 + nanoseconds // 1000
        return data, now_us()


class Stream(Link):
    """An event stream of an instance. `take(event, at_us)` is called with each event."""

    def __init__(self, port, path, take):
        super().__init__(port, head_of(path))
        self.parser = Parser(keep=True)
        self.take = take

    def read(self):
        data, at_us = self.receive()
        self.parser.feed(data)
        if self.parser.status not in (None, 200):
            self.close()
        events, self.parser.events = self.parser.events, []
        for event in events:
            self.take(event, at_us)


class Publishes(Link):
    """All publishes of the demo's prefix. `take(topic, published_us)`: by the clock of who published; for a message
    that is not of the library, when it came."""

    def __init__(self, port, take):
        super().__init__(port, b"PSUBSCRIBE %s*\r\n" % PREFIX.encode())
        self.buffer = b""
        self.subscribed = False
        self.take = take

    def read(self):
        data, at_us = self.receive()
        self.buffer += data
        while parsed := parse_reply(self.buffer):
            self.buffer = self.buffer[parsed[1]:]
            self.take_reply(parsed[0], at_us)

    def take_reply(self, reply, at_us):
        if reply[0] == b"psubscribe":
            self.subscribed = True
            return
        _, _, channel, body = reply
        topic = channel.decode()[len(PREFIX):]
        if not topic.startswith("/"):  # the instances' own control channels
            self.take(topic, published_us(body) or at_us)


def read_msgpack(data, at):
    """A text or a number that is not negative, and what stands behind it."""
    kind = data[at]
    if kind < 0x80:
        return kind, at + 1
    if 0xa0 <= kind < 0xc0:
        return data[at + 1:at + 1 + (kind & 31)], at + 1 + (kind & 31)
    if kind == 0xd9:
        return data[at + 2:at + 2 + data[at + 1]], at + 2 + data[at + 1]
    if 0xcc <= kind <= 0xcf:
        end = at + 1 + (1 << (kind - 0xcc))
        return int.from_bytes(data[at + 1:end], "big"), end
    raise ValueError("neither a text nor a number")


def published_us(body):
    """When a message of the library was published, the fourth of its five parts; None: it is not one."""
    at, value = 1, None
    try:
        if body[0] != 0x95 or body[1] != 1:
            return None
        for _ in range(4):
            value, at = read_msgpack(body, at)
    except (IndexError, ValueError):
        return None
    return value


def read_ready(links, wait_ms):
    """Waits a little and reads what has come, in the order of `links`; those that have `read` and `fileno`."""
    poll = select.poll()
    for link in links:
        poll.register(link, select.POLLIN)
    ready = {number for number, _ in poll.poll(wait_ms)}
    for link in [link for link in links if link.fileno() in ready]:
        link.read()
