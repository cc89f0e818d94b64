"""Topology "sentinel": a master, two replicas and three sentinels, each of which is known to all by a door of ours."""
import os

from network import BOTH, Disturbance
from servers import CONFIG, PASSWORD, USER, Server, Since, seen, settle
from wire import RedisClient

GROUP = "main"
PUBLISH_S = 1    # that a publisher waits for a server
SETTLED_S = 5    # stated to settle(), which waits ten times that
DATA = """replica-announce-ip 127.0.0.1
replica-announce-port %d
"""
# Sentinels call a master dead after half a second; all of its defaults are for machines, and nights, far away.
WATCH = """port %d
dir %s
bind 127.0.0.1
sentinel announce-ip 127.0.0.1
sentinel announce-port %d
sentinel monitor main 127.0.0.1 %d 2
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 1000
"""


class Replica(Server):
    def __init__(self, world, name, master=None):
        super().__init__(world, name, CONFIG)
        self.door_port = world.network.address_of(self.port)
        self.configure(DATA % self.door_port)
        if master is not None:
            self.configure("replicaof 127.0.0.1 %d\n" % master.door_port)


class Sentinel(Server):
    def __init__(self, world, name, master):
        super().__init__(world, name, "")
        self.door_port = world.network.address_of(self.port)
        os.truncate(self.config, 0)
        self.configure(WATCH % (self.port, self.folder, self.door_port, master.door_port))

    def arguments(self):
        return [self.config, "--sentinel"]

    def hurry(self):
        """It tells and asks each 0.2 s and not each 2 s and 10 s: so it finds the others, and who is back, soon."""
        settle(lambda: self.command("SENTINEL", "DEBUG", "INFO-PERIOD", 200, "PUBLISH-PERIOD", 200), 2, self.name)

    def master_port(self):
        return int(self.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", GROUP)[1])

    def state(self):
        """What it knows of the master, as a dictionary."""
        words = self.command("SENTINEL", "MASTER", GROUP)
        return {words[i].decode(): words[i + 1].decode() for i in range(0, len(words), 2)}


class Guarded:
    name = "sentinel"
    falls_with_one_server = False

    def __init__(self, world):
        self.world = world
        first = Replica(world, "a")
        self.servers = [first, Replica(world, "b", first), Replica(world, "c", first)]
        self.sentinels = [Sentinel(world, "sentinel %d" % number, first) for number in range(3)]

    def url(self, user):
        where = ",".join("127.0.0.1:%d" % sentinel.door_port for sentinel in self.sentinels)
        return "redis+sentinel://%s:%s@%s/%s" % (user, PASSWORD, where, GROUP)

    async def start(self):
        for server in self.servers + self.sentinels:
            await self.world.network.door(server.name, server.door_port, server.port)
            await self.world.aside(server.start)
        for sentinel in self.sentinels:
            await self.world.aside(sentinel.hurry)
        await self.world.aside(self.rest)

    def masters(self):
        return [self.master()]

    def master(self):
        """The one that all sentinels name which answer; OSError if they do not agree."""
        ports = {seen(sentinel.master_port) for sentinel in self.sentinels} - {None}
        if len(ports) != 1:
            raise OSError("the sentinels name %d masters" % len(ports))
        return next(server for server in self.servers if server.door_port in ports)

    def doors(self):
        return [server.name for server in self.servers + self.sentinels]

    def publish(self, topic, body):
        """As a stranger does who knows that masters are replaced: looks again afterwards. Not accepted: OSError."""
        master = self.master()
        with RedisClient(master.door_port, timeout_s=PUBLISH_S) as client:
            client.command("AUTH", USER, PASSWORD)
            if client.command("ROLE")[0] != b"master":
                raise OSError("the sentinels are wrong")
            client.command("PUBLISH", "freshet:" + topic, body)
        if self.master() is not master:
            raise OSError("the master has changed meanwhile")

    def publish_at(self, server, topic, body):
        """There, whatever it is."""
        server.command("PUBLISH", "freshet:" + topic, body)

    def parted(self, server):
        """What parts it from the other servers and the sentinels, and not from clients."""
        others = {other.name for other in self.servers + self.sentinels if other is not server}
        return [Disturbance({server.name}, others, BOTH), Disturbance(others, {server.name}, BOTH)]

    def fail_over(self, draw):
        """Asked for. Returns when there is another master."""
        old = self.master()
        draw.choice(self.sentinels).command("SENTINEL", "FAILOVER", GROUP)
        settle(lambda: self.has_master() and self.master() is not old, 1, "a failover")

    def has_master(self):
        """All sentinels know of one master, with which nothing is wrong and nothing is going on."""
        states = [sentinel.state() for sentinel in self.sentinels]
        return all(state["flags"] == "master" for state in states) and self.master().role() == "master"

    def restore(self):
        for server in self.servers:
            server.calm()
        for sentinel in self.sentinels:
            sentinel.hurry()
        stands = Since()

        def has_master():
            stands.see(seen(self.standing))
            return self.has_master()

        settle(has_master, SETTLED_S, "there is a master")
        return stands.at

    def standing(self):
        """The master that clients are told of and can use."""
        master = self.master()
        return master.name if master.role() == "master" else None

    def rest(self):
        """Replicas are in step and known, so that one can take the master's place."""
        settle(self.is_whole, SETTLED_S, "all is in order")

    def is_whole(self):
        master = self.master()
        replicas = [server for server in self.servers if server is not master]
        states = [sentinel.state() for sentinel in self.sentinels]
        return (self.has_master() and all(replica.is_in_step() for replica in replicas) and
                all(int(state["num-slaves"]) >= len(replicas) and state["num-other-sentinels"] == "2"
                    for state in states))

    def close(self):
        for server in self.sentinels + self.servers:
            server.kill()
