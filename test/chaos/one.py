"""Topology "one": one Redis behind one address. A second server stands by, for the day on which the address moves."""
import time

from servers import PASSWORD, USER, Server
from support import free_port
from wire import RedisClient

PUBLISH_S = 1  # that a publisher waits for Redis


class One:
    name = "one"
    falls_with_one_server = True

    def __init__(self, world):
        self.world = world
        self.servers = [Server(world, name) for name in ("a", "b")]
        self.master = self.servers[0]
        self.port = free_port()
        self.door = None

    def url(self, user):
        return "redis://%s:%s@127.0.0.1:%d" % (user, PASSWORD, self.port)

    async def start(self):
        for server in self.servers:
            await self.world.aside(server.start)
        self.door = await self.world.network.door("redis", self.port, self.master.port)

    def masters(self):
        """Those that publishes go to, now."""
        return [self.master]

    def doors(self):
        """Names of what the instances connect to."""
        return ["redis"]

    def publish(self, topic, body):
        """As a stranger does, without this library. Returns when it was accepted."""
        with RedisClient(self.port, timeout_s=PUBLISH_S) as client:
            client.command("AUTH", USER, PASSWORD)
            client.command("PUBLISH", "freshet:" + topic, body)

    def publish_at(self, server, topic, body):
        """There, whatever it is."""
        server.command("PUBLISH", "freshet:" + topic, body)

    def move(self):
        """The server that stands by is the master from now on, and the old one its replica. No client is told."""
        old, new = self.master, next(server for server in self.servers if server is not self.master)
        new.command("REPLICAOF", "NO", "ONE")
        old.command("REPLICAOF", "127.0.0.1", new.port)
        self.master = new

    def lead(self):
        """The address leads to the master."""
        self.door.target = self.master.port

    def restore(self):
        """Faults are over. Returns since when clients could be served again."""
        for server in self.servers:
            server.calm()
        if self.master.role() != "master":
            self.master.command("REPLICAOF", "NO", "ONE")
        self.lead()
        return time.monotonic()

    def rest(self):
        """Until it is ready for the next faults."""

    def close(self):
        for server in self.servers:
            server.kill()
