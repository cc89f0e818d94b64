"""Topology "cluster": three masters with a replica each, known to each other and to all by doors of ours."""
import collections
import contextlib
import os
import re

from moves import Moves
from network import BOTH, Disturbance
from servers import CONFIG, PASSWORD, USER, Server, Since, seen, settle
from slots import SLOTS, channel_of, slot_of, tag_of
from support import Expired, free_port
from wire import RedisClient, RedisError

MASTERS = 3
PUBLISH_S = 1    # that a publisher waits for a server
SETTLED_S = 5    # stated to settle(), which waits ten times that
AGREED_S = 1     # the same
NODE = """cluster-enabled yes
cluster-config-file %s
cluster-port %d
cluster-announce-ip 127.0.0.1
cluster-announce-port %d
cluster-announce-bus-port %d
cluster-node-timeout 1000
cluster-replica-validity-factor 0
cluster-allow-replica-migration no
"""


class Node(Server):
    def __init__(self, world, name):
        super().__init__(world, name, CONFIG)
        self.bus_port = free_port()
        self.door_port, self.bus_door_port = map(world.network.address_of, (self.port, self.bus_port))
        self.configure(NODE % (os.path.join(self.folder, "nodes.conf"), self.bus_port, self.door_port,
                               self.bus_door_port))
        self.id = None

    def slots(self):
        """Who owns what, as it knows: (first, last, port of the owner) in order."""
        return tuple(sorted((first, last, owner[1]) for first, last, owner, *_ in self.command("CLUSTER", "SLOTS")))

    def pipeline(self, commands):
        with self.client() as client:
            client.pipeline(*commands)

    def knows(self, other):
        return any(other.id in line and " connected" in line
                   for line in self.command("CLUSTER", "NODES").decode().splitlines())

    def calm(self):
        """Nor are slots on their way that have not arrived."""
        super().calm()
        mine = next(line for line in self.command("CLUSTER", "NODES").decode().splitlines() if "myself" in line)
        for slot in re.findall(r"\[(\d+)-[<>]-", mine):
            self.command("CLUSTER", "SETSLOT", slot, "STABLE")

    def is_ok(self):
        return b"cluster_state:ok" in self.command("CLUSTER", "INFO")


class Cluster:
    name = "cluster"
    falls_with_one_server = False

    def __init__(self, world):
        self.world = world
        self.servers = [Node(world, "node %d" % number) for number in range(2 * MASTERS)]
        self.moves = Moves(self)

    def url(self, user):
        where = ",".join("127.0.0.1:%d" % server.door_port for server in self.servers)
        return "redis+cluster://%s:%s@%s" % (user, PASSWORD, where)

    # ---- making it ----

    async def start(self):
        for server in self.servers:
            await self.world.network.door(server.name, server.door_port, server.port)
            await self.world.network.door(server.name + " bus", server.bus_door_port, server.bus_port)
            await self.world.aside(server.start)
        await self.world.aside(self.make)

    def make(self):
        for number, server in enumerate(self.servers):
            server.id = server.command("CLUSTER", "MYID").decode()
            server.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for one in self.servers:
            for other in self.servers:
                if other is not one:
                    one.command("CLUSTER", "MEET", "127.0.0.1", other.door_port, other.bus_door_port)
        for number, master in enumerate(self.servers[:MASTERS]):
            master.command("CLUSTER", "ADDSLOTSRANGE", number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS - 1)
        for master, replica in zip(self.servers, self.servers[MASTERS:]):
            settle(lambda: replica.knows(master), SETTLED_S, "the nodes know each other")
            replica.command("CLUSTER", "REPLICATE", master.id)
        self.restore()
        self.rest()

    # ---- what it is like ----

    def views(self):
        """How the nodes that answer see it, and how many agree."""
        views = collections.Counter(seen(server.slots) for server in self.servers)
        del views[None]
        return views

    def view(self):
        views = self.views()
        if not views:
            raise OSError("no node answers")
        return views.most_common(1)[0][0]

    def at(self, port):
        return next(server for server in self.servers if server.door_port == port)

    def masters(self):
        return [self.at(port) for port in sorted({port for _, _, port in self.view()})]

    def replica_of(self, master):
        for server in self.servers:
            if server is not master and server.role() == "slave" and server.command("ROLE")[2] == master.door_port:
                return server
        raise OSError("%s has no replica" % master.name)

    def doors(self):
        return [server.name for server in self.servers]

    def owner(self, slot):
        """On which all agree."""
        views = self.views()
        ports = {port for view in views for first, last, port in view if first <= slot <= last}
        if len(ports) != 1:
            raise OSError("the nodes name %d owners" % len(ports))
        return self.at(ports.pop())

    # ---- what is done with it ----

    def publish(self, topic, body):
        """As a stranger does who knows that slots move: looks again afterwards. Not accepted: OSError."""
        slot = slot_of(tag_of(topic))
        owner = self.owner(slot)
        with RedisClient(owner.door_port, timeout_s=PUBLISH_S) as client:
            client.command("AUTH", USER, PASSWORD)
            client.command("SPUBLISH", channel_of(topic), body)
        if self.owner(slot) is not owner:
            raise OSError("the slot has moved meanwhile")

    def publish_at(self, server, topic, body):
        """There, if the topic is there."""
        with contextlib.suppress(RedisError):  # MOVED
            server.command("SPUBLISH", channel_of(topic), body)

    def parted(self, server):
        """What parts it from the other nodes, and not from clients."""
        others = [other.name for other in self.servers if other is not server]
        return [Disturbance({server.name, server.name + " bus"}, set(others), BOTH),
                Disturbance(set(others) | {other + " bus" for other in others}, {server.name}, BOTH)]

    def fail_over(self, draw):
        """Asked for. Returns when there is another master."""
        replica = self.replica_of(draw.choice(self.masters()))
        replica.command("CLUSTER", "FAILOVER")
        settle(lambda: replica.role() == "master", 1, "a failover")

    # ---- between the rounds ----

    def restore(self):
        for server in self.servers:
            server.calm()
        stands = Since()

        def is_one():
            stands.see(seen(self.standing))
            return self.is_one()

        try:
            settle(is_one, AGREED_S, "all nodes agree")
        except Expired:
            self.moves.mend()
            settle(is_one, SETTLED_S, "all nodes agree")
        return stands.at

    def standing(self):
        """Who owns what, as most nodes say; None while one of these is no master."""
        view = self.view()
        ports = {port for _, _, port in view}
        return view if all(self.at(port).role() == "master" for port in ports) else None

    def is_one(self):
        views = self.views()
        return (len(views) == 1 and sum(views.values()) == len(self.servers) and
                sum(last - first + 1 for first, last, _ in self.view()) == SLOTS and
                all(server.is_ok() for server in self.servers) and
                all(master.role() == "master" for master in self.masters()))

    def rest(self):
        """Each master has a replica that is in step and can take its place."""
        settle(self.is_whole, SETTLED_S, "all is in order")

    def is_whole(self):
        masters = self.masters()
        for server in self.servers:
            if server not in masters and server.role() == "master":
                self.give_work(server, masters)
        return self.is_one() and all(server in masters or server.is_in_step() for server in self.servers)

    def give_work(self, server, masters):
        """A move of slots that met a failover may leave a master without any: the first without a replica gets it."""
        alone = [master for master in masters if seen(lambda: self.replica_of(master)) is None]
        if alone:
            server.command("CLUSTER", "REPLICATE", alone[0].id)

    def close(self):
        for server in self.servers:
            server.kill()
