"""Clients that behave as a browser's EventSource: they come back after what `retry:` said, with the id that they have.

They keep what they show from one connection to the next. Some read slowly, some have several views on one stream, some
take it in gzip.
"""
import asyncio
import json
import socket
from urllib.parse import quote

from wire import Parser, head_of

RETRY_S = 3.0      # before a server has said otherwise
SLOW_S = 0.1       # that a slow one lets pass between two looks
SLOW_BYTES = 8192  # that it takes then
SLOW_ROOM = 16384  # that the kernel has for it
SEGMENT = 1400     # as on a wire: in segments of loopback's size a small window stays shut until a timer opens it


class Listener(Parser):
    """Hands each event on as it comes."""

    def __init__(self, take):
        super().__init__()
        self.take = take

    def dispatch(self):
        if self.data:
            self.take(self.name, "\n".join(self.data), self.id)
        super().dispatch()


class Client:
    def __init__(self, world, number, topics, slow=False, packed=False):
        self.world, self.oracle = world, world.oracle
        self.name = "client %d%s" % (number, " (slow)" if slow else "")
        self.home = world.instances[number % len(world.instances)]
        self.topics = {topic.path: topic for topic in topics}
        self.slow = slow
        self.headers = {"Accept-Encoding": "gzip"} if packed else {}
        self.shown = {topic: None for topic in topics}     # states
        self.shown_at = {topic: 0.0 for topic in topics}   # since when
        self.versions = {topic: "" for topic in topics}
        self.brought = {}      # the newest state that this connection has brought, by topic
        self.asked_at = None   # of the connection at hand; None: it has none
        self.instance, self.life = None, None
        self.retry_s = RETRY_S
        self.end = None
        self.writer, self.dropped = None, False

    # ---- one connection after the other ----

    async def run(self):
        while True:
            for instance in self.candidates():
                if await self.visit(instance):
                    break
            self.asked_at = None
            await asyncio.sleep(self.retry_s)

    def candidates(self):
        """Its own, and the others if nobody is there, as behind a balancer."""
        return [self.home] + [i for i in self.world.instances if i is not self.home]

    async def visit(self, instance):
        """False: there was nobody."""
        limit = SLOW_BYTES if self.slow else 65536
        try:
            reader, writer = await self.connect(instance.port, limit)
        except OSError:
            return False
        self.instance, self.life = instance, instance.lives
        self.brought, self.end = {}, None
        self.writer, self.dropped = writer, False
        parser = Listener(self.take)
        try:
            writer.write(self.request())
            self.asked_at = self.world.now()
            while data := await reader.read(limit):
                parser.feed(data)
                self.look(parser)
                if self.slow:
                    await asyncio.sleep(SLOW_S)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
        self.oracle.ended(self, parser)
        return parser.status is not None

    def drop(self):
        """It leaves by itself, and comes back."""
        if self.writer is not None:
            self.dropped = True
            self.writer.transport.abort()

    async def connect(self, port, limit):
        end = socket.socket()
        end.setblocking(False)
        try:
            if self.slow:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_ROOM)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
            await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", port))
        except OSError:
            end.close()
            raise
        return await asyncio.open_connection(sock=end, limit=limit)

    def request(self):
        """One view by its own path, several by their names."""
        topics = list(self.topics.values())
        if len(topics) == 1:
            version = self.versions[topics[0]]
            held = {"Last-Event-ID": version} if version else {}
            return head_of("/live" + topics[0].path, {**self.headers, **held})
        views = ["v=" + quote("%s~%s" % (topic.path, self.versions[topic]), safe="~") for topic in topics]
        return head_of("/live?" + "&".join(views), self.headers)

    def look(self, parser):
        if parser.status not in (None, 200):
            self.oracle.complain("%s: %s answers with %d, after which no browser comes back" %
                                 (self.name, self.instance.name, parser.status))
        if parser.retry_ms is not None:
            self.retry_s = parser.retry_ms / 1000

    # ---- what it is told ----

    def take(self, name, data, version):
        if name == "":
            self.show(next(iter(self.topics.values())), data, version)
        elif name in self.topics:
            version, *lines = data.split("\n")
            if lines:
                self.show(self.topics[name], "\n".join(lines), version)
        elif name == "end":
            self.end = json.loads(data)
        elif name == "load-error":
            self.oracle.load_errors[json.loads(data)["code"]] += 1
        else:
            self.oracle.complain("%s: unknown event %r" % (self.name, name))

    def show(self, topic, data, version):
        state = topic.read(data)
        self.oracle.delivered(self, topic, state)
        if state != self.shown[topic]:
            self.shown_at[topic] = self.world.now()
        self.brought[topic] = self.shown[topic] = state
        self.versions[topic] = version
