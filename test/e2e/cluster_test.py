#!/usr/bin/env python3
"""Streams on two instances while a cluster moves under them (contract 7.9)."""
import json
import signal
import tempfile
import time

from support import HEAL_S, Process, main, test, until
from streams import Crowd
from wire import RedisClient, free_port

BOARDS = 60
STREAMS = 300
FRESH_S = 1.0  # after the slot has an owner that answers
DOWN_MS = 1500  # of silence; with less a busy machine makes failovers that nobody asked for
ELECTED_S = 5 + DOWN_MS / 1000
SLOTS = 16384


class Node(Process):
    def __init__(self, folder):
        self.folder = tempfile.mkdtemp(prefix="node-", dir=folder)
        self.port, self.bus_port = free_port(), free_port()
        self.start()
        self.id = self.command("CLUSTER", "MYID").decode()

    def start(self):
        super().__init__(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder,
                          "--save", "", "--cluster-enabled", "yes", "--cluster-port", str(self.bus_port),
                          "--cluster-node-timeout", str(DOWN_MS), "--cluster-replica-validity-factor", "0",
                          "--cluster-allow-replica-migration", "no", "--repl-diskless-sync-delay", "0"],
                         self.folder + "/log")
        until(lambda: self.command("PING") == "PONG", 2, "redis-server answers")

    def command(self, *arguments):
        with RedisClient(self.port, None, 10) as client:
            return client.command(*[str(a) for a in arguments])

    def owners(self):
        """The port of each slot's master, as this node knows it."""
        owners = [None] * SLOTS
        for first, last, master, *_ in self.command("CLUSTER", "SLOTS"):
            owners[first:last + 1] = [master[1]] * (last + 1 - first)
        return owners


class Cluster:
    """Three masters, each with a replica."""

    def __init__(self, case):
        self.nodes = []
        case.defer(self.kill)
        for _ in range(6):
            self.nodes.append(Node(case.folder))
        for number, node in enumerate(self.nodes):
            node.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            for other in self.nodes[:number]:
                other.command("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus_port)
        until(lambda: all(n.command("CLUSTER", "NODES").count(b" connected") == 6 for n in self.nodes), 10,
              "the nodes know each other")
        for number, node in enumerate(self.nodes[:3]):
            node.command("CLUSTER", "ADDSLOTSRANGE", number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1)
            self.nodes[number + 3].command("CLUSTER", "REPLICATE", node.id)
        until(self.settled, 10, "the cluster is settled")
        until(lambda: all(n.command("ROLE")[3] == b"connected" for n in self.nodes[3:]), 10, "replicas are in step")

    @property
    def url(self):
        return "redis+cluster://" + ",".join("127.0.0.1:%d" % n.port for n in self.nodes)

    def settled(self):
        running = [n for n in self.nodes if n.running()]
        owners = running[0].owners()
        return None not in owners and all(b"cluster_state:ok" in n.command("CLUSTER", "INFO") and n.owners() == owners
                                          for n in running)

    def node_of(self, port):
        return next(n for n in self.nodes if n.port == port)

    def master_of(self, key):
        asked = next(n for n in self.nodes if n.running())
        return self.node_of(asked.owners()[asked.command("CLUSTER", "KEYSLOT", key)])

    def migrate(self, first, last, to):
        """As redis-cli does, slot by slot, with the keys."""
        owners = to.owners()
        for slot in range(first, last + 1):
            source = self.node_of(owners[slot])
            if source is to:
                continue
            to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
            source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)
            for key in source.command("CLUSTER", "GETKEYSINSLOT", slot, 100):
                source.command("MIGRATE", "127.0.0.1", to.port, key.decode(), 0, 5000)
            to.command("CLUSTER", "SETSLOT", slot, "NODE", to.id)
            source.command("CLUSTER", "SETSLOT", slot, "NODE", to.id)

    def failover(self, replica):
        """Asks for it, again if Redis has given it up after 5 s because the masters had not voted in time."""
        asked = 0.0

        def is_over():
            nonlocal asked
            if replica.command("ROLE")[0] == b"master":
                return True
            if time.monotonic() - asked > 6:
                asked = time.monotonic()
                assert replica.command("CLUSTER", "FAILOVER") == "OK"
            return False
        until(is_over, ELECTED_S, "a replica takes over")

    def replaced(self, crowd, replica):
        crowd.until(lambda: replica.command("ROLE")[0] == b"master" and self.settled(), ELECTED_S,
                    "a replica takes the place of a master")

    def kill(self):
        for node in self.nodes:
            node.kill()


class Scene:
    def __init__(self, case):
        self.cluster = Cluster(case)
        self.instances = [case.bridge(redis=self.cluster.url) for _ in range(2)]
        for instance in self.instances:
            until(instance.ready, 3)
        self.published = 0
        self.crowd = Crowd()
        case.defer(self.crowd.close)
        for board in range(BOARDS):
            self.add(board)
        for board in range(BOARDS):
            self.crowd.open(STREAMS // BOARDS, [i.port for i in self.instances], "/live/board/b%d" % board)
        self.settled()

    def add(self, board):
        """A task on a board, by one instance or the other. What counts is what the store has, if it is refused."""
        self.published += 1
        return self.instances[self.published % 2].post("/board/b%d/tasks" % board,
                                                       {"title": "task %d" % self.published}).status == 201

    def add_everywhere(self):
        return [self.add(board) for board in range(BOARDS)]

    def count(self, board):
        """The tasks that are there. Their numbers tell less: one may have been drawn from a master that was then lost."""
        key = "freshet:board/b%d" % board
        fields = self.cluster.master_of(key).command("HKEYS", key)
        return sum(field.endswith(b":title") for field in fields)

    def settled(self, stated_s=FRESH_S):
        """All show what their boards have, though nobody publishes any more."""
        counts = {"/live/board/b%d" % board: self.count(board) for board in range(BOARDS)}
        self.crowd.until(lambda: all(tasks_of(p) == counts[p.path] for p in self.crowd.parsers()), stated_s,
                         "all boards are shown as they are")
        assert self.crowd.lost == 0, self.crowd.summary()
        self.crowd.until(lambda: all(i.ready() for i in self.instances), HEAL_S, "both are ready")

    def still_works(self):
        assert all(self.add_everywhere())
        self.settled()


def tasks_of(parser):
    return -1 if parser.newest is None else len(json.loads(parser.newest)["tasks"])


@test
def slots_move_under_publishes(case):
    # contract 7.9: no stream ends, none is stale
    scene = Scene(case)
    for turn in range(2):
        for first in range(turn * 300, turn * 300 + 300, 50):
            scene.cluster.migrate(first, first + 49, scene.cluster.nodes[1 + turn])
            scene.add_everywhere()
        scene.settled()
    until(scene.cluster.settled, 5, "all nodes know of it")
    scene.still_works()


@test
def failover_that_is_asked_for_under_publishes(case):
    # contract 7.9: there and back again
    scene = Scene(case)
    for new in (3, 0):
        replica = scene.cluster.nodes[new]
        until(lambda new=new: scene.cluster.nodes[new].command("ROLE")[3] == b"connected", 5)
        scene.cluster.failover(replica)
        scene.add_everywhere()
        scene.cluster.replaced(scene.crowd, replica)
        scene.settled()
        scene.still_works()


@test
def master_dies_and_comes_back(case):
    # contract 7.9: until it is replaced, the boards of the others go on
    scene = Scene(case)
    old = scene.cluster.nodes[2]
    others = [b for b in range(BOARDS) if scene.cluster.master_of("freshet:board/b%d" % b) is not old]
    old.kill()
    assert all(scene.add(board) for board in others)
    scene.cluster.replaced(scene.crowd, scene.cluster.nodes[5])
    scene.settled()
    scene.still_works()
    old.start()
    until(lambda: old.command("ROLE")[0] == b"slave", ELECTED_S, "the old master is a replica")
    scene.still_works()


@test
def master_that_hung_goes_on_answering(case):
    # contract 7.9: nobody has told it yet
    scene = Scene(case)
    old = scene.cluster.nodes[0]
    old.signal(signal.SIGSTOP)
    scene.crowd.until(lambda: scene.cluster.nodes[3].command("ROLE")[0] == b"master", ELECTED_S, "it is replaced")
    old.signal(signal.SIGCONT)
    scene.add_everywhere()
    until(scene.cluster.settled, ELECTED_S, "all nodes know of it")
    scene.settled()
    scene.still_works()


if __name__ == "__main__":
    main()
