"""What goes over the wire, as a client sees it: requests, event streams, and Redis. For bridge/demo, test/e2e and
bench/stated."""
import collections
import contextlib
import http.client
import json
import random
import socket
import zlib

Event = collections.namedtuple("Event", "name data id")
Response = collections.namedtuple("Response", "status headers body")


given_ports = set()


def free_port():
    """Below the kernel's range for clients, so that no outgoing connection takes it in the meantime. Never the same twice:
    who asks for several binds them later."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                if port not in given_ports:
                    given_ports.add(port)
                    return port


# ---- requests ----

def request(port, method, path, body=None, headers=None, timeout_s=10):
    """One request to this machine, on a connection of its own. A body is JSON; a dict or a list is written as such."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        kind = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, body=body, headers={**kind, **(headers or {})})
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read())
    finally:
        connection.close()


def parse_metrics(text):
    """The values by name and labels."""
    values = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, value = line.rsplit(" ", 1)
            values[key] = float(value)
    return values


# ---- event streams ----

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
    """A response that is an event stream, in gzip or not; keeps what was said last, and all events if asked to. Those who
    want to know when something came extend take_comment() and take_event()."""

    def __init__(self, keep=False):
        self.head = b""
        self.status = None
        self.headers = {}
        self.chunks = None
        self.gzip = None     # takes the body apart
        self.body = b"" if keep else None  # as it was sent, without chunks
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
        if self.body is not None:
            self.body += data
        if self.gzip:
            data = self.gzip.decompress(data)
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
        if self.headers.get("content-encoding") == "gzip":
            self.gzip = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def read_line(self, line):
        if not line:
            self.dispatch()
            return
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "":
            self.take_comment(value)
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
            self.take_event(Event(self.name, "\n".join(self.data), self.id))
        self.name, self.data, self.id = "", [], None

    def take_comment(self, text):
        self.comments.append(text)

    def take_event(self, event):
        if self.events is not None:
            self.events.append(event)
        if event.name == "":
            self.newest = event.data
            self.snapshots += 1
        elif event.name == "load-error":
            self.errors.append(event.data)
        elif event.name == "end":
            self.end = event.data

    @property
    def count(self):
        return int(self.newest) if self.newest is not None else None


def head_of(path, headers=None, version="1.1"):
    lines = ["GET %s HTTP/%s" % (path, version), "Host: localhost", "Accept: text/event-stream"]
    lines += ["%s: %s" % pair for pair in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


# ---- Redis ----

class RedisError(Exception):
    pass


def parse_reply(data, at=0):
    """The reply that begins there, and where the next one does; None while not all of it has come."""
    end = data.find(b"\r\n", at)
    if end < 0:
        return None
    kind, rest, at = data[at:at + 1], data[at + 1:end], end + 2
    if kind == b"+":
        return rest.decode(), at
    if kind == b"-":
        return RedisError(rest.decode()), at
    if kind == b":":
        return int(rest), at
    if rest == b"-1":
        return None, at
    if kind == b"$":
        end = at + int(rest)
        return (data[at:end], end + 2) if len(data) >= end + 2 else None
    items = []
    for _ in range(int(rest)):
        parsed = parse_reply(data, at)
        if parsed is None:
            return None
        items.append(parsed[0])
        at = parsed[1]
    return items, at


class RedisClient:
    """`where`: a port on loopback, or the path of a Unix socket."""

    def __init__(self, where, password=None, timeout_s=10):
        self.buffer = b""
        if isinstance(where, int):
            self.socket = socket.create_connection(("127.0.0.1", where), timeout=timeout_s)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout_s)
            self.socket.connect(where)
        if password:
            self.command("AUTH", password)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def command(self, *arguments):
        return self.pipeline(arguments)[0]

    def pipeline(self, *commands):
        self.send(*commands)
        replies = [self.reply() for _ in commands]
        for reply in replies:
            if isinstance(reply, RedisError):
                raise reply
        return replies

    def send(self, *commands):
        """Sends all in one write: Redis runs them without another client's command in between. The answers are to be
        taken with reply()."""
        data = b""
        for arguments in commands:
            data += b"*%d\r\n" % len(arguments)
            for argument in arguments:
                raw = argument if isinstance(argument, bytes) else str(argument).encode()
                data += b"$%d\r\n%s\r\n" % (len(raw), raw)
        self.socket.sendall(data)

    def reply(self):
        while (parsed := parse_reply(self.buffer)) is None:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("Redis closed the connection")
            self.buffer += data
        self.buffer = self.buffer[parsed[1]:]
        return parsed[0]
