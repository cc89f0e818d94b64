#!/usr/bin/env python3
"""Streams on two instances while sentinels replace the master (contract 7.8)."""
import os
import signal
import tempfile

from support import HEAL_S, Process, main, test, until
from streams import Crowd
from wire import RedisClient, RedisError, free_port

STREAMS = 500
FRESH_S = 1.0  # after the new master is elected
DOWN_MS = 1500  # of silence; with less a busy machine makes failovers that nobody asked for
ELECTED_S = 5 + DOWN_MS / 1000


class Server(Process):
    """A redis-server with a config of its own, which it may rewrite."""

    def __init__(self, folder, lines, *options, password=None):
        self.folder = tempfile.mkdtemp(prefix="server-", dir=folder)
        self.port = free_port()
        self.password = password
        self.config = os.path.join(self.folder, "config")
        self.options = options
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.start()

    def start(self):
        super().__init__(["redis-server", self.config, *self.options, "--port", str(self.port), "--bind", "127.0.0.1",
                          "--dir", self.folder, "--save", ""], os.path.join(self.folder, "log"))
        until(lambda: self.command("PING") == "PONG", 2, "redis-server answers")

    def command(self, *arguments):
        with RedisClient(self.port, self.password, 10) as client:
            return client.command(*arguments)

    def is_master(self):
        return self.command("ROLE")[0] == b"master"


class Group:
    """A master, a replica, and three sentinels that watch them."""

    def __init__(self, case, sentinel_password=None):
        self.servers = [Server(case.folder, ["repl-diskless-sync-delay 0"])]
        case.defer(self.kill)
        self.sentinels = []
        master = self.servers[0].port
        self.servers.append(Server(case.folder, ["repl-diskless-sync-delay 0", "replicaof 127.0.0.1 %d" % master]))
        until(lambda: self.servers[1].command("ROLE")[3] == b"connected", 5, "the replica is in step")
        lines = ["sentinel monitor main 127.0.0.1 %d 2" % master, "sentinel down-after-milliseconds main %d" % DOWN_MS,
                 "sentinel failover-timeout main 3000"]
        if sentinel_password:
            lines += ["requirepass " + sentinel_password, "sentinel sentinel-pass " + sentinel_password]
        for _ in range(3):
            self.sentinels.append(Server(case.folder, lines, "--sentinel", password=sentinel_password))
            self.sentinels[-1].command("SENTINEL", "DEBUG", "INFO-PERIOD", "200", "PUBLISH-PERIOD", "200")
        until(lambda: all("slaves=1,sentinels=3" in s.command("INFO", "sentinel").decode() for s in self.sentinels),
              5, "the sentinels know each other")

    @property
    def url(self):
        return "redis+sentinel://%s/main" % ",".join("127.0.0.1:%d" % s.port for s in self.sentinels)

    def named(self):
        """The port that the sentinels name, or None while they differ."""
        ports = {int(s.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")[1])
                 for s in self.sentinels if s.running()}
        return ports.pop() if len(ports) == 1 else None

    def elected(self, crowd, old):
        """The server that took the place of `old`, when all say so."""
        other = self.servers[1 - self.servers.index(old)]
        crowd.until(lambda: self.named() == other.port and other.is_master(), ELECTED_S, "a new master is elected")
        return other

    def has_good_replica(self):
        """Otherwise a failover is begun, and given up without a word."""
        replica, = self.sentinels[0].command("SENTINEL", "REPLICAS", "main")
        known = dict(zip(replica[::2], replica[1::2]))
        return known[b"flags"] == b"slave" and known[b"master-link-status"] == b"ok"

    def failover(self):
        def ask():
            if not self.has_good_replica():
                return False
            try:
                return self.sentinels[0].command("SENTINEL", "FAILOVER", "main") == "OK"
            except RedisError:
                return False
        until(ask, 5, "the failover begins")

    def kill(self):
        for server in self.servers + self.sentinels:
            server.kill()


class Scene:
    def __init__(self, case):
        self.group = Group(case)
        self.instances = [case.bridge(redis=self.group.url) for _ in range(2)]
        for instance in self.instances:
            until(instance.ready, 2)
        self.crowd = Crowd()
        case.defer(self.crowd.close)
        self.crowd.open(STREAMS, [i.port for i in self.instances], "/live/counter")
        self.settled(self.group.servers[0])

    def settled(self, master, stated_s=FRESH_S):
        """All show what the master has, though nobody publishes any more."""
        count = int(master.command("GET", "freshet:counter") or 0)
        self.crowd.until(lambda: all(p.newest == str(count) for p in self.crowd.parsers()), stated_s,
                         "all show %d" % count)
        assert self.crowd.lost == 0, self.crowd.summary()
        self.crowd.until(lambda: all(i.ready() for i in self.instances), HEAL_S, "both are ready")

    def still_works(self, master):
        for instance in self.instances:
            assert until(instance.increment) == int(master.command("GET", "freshet:counter"))
            self.settled(master)


@test
def failover_that_is_asked_for_under_publishes(case):
    # contract 7.8, 7.4: there and back again
    scene = Scene(case)
    master = scene.group.servers[0]
    for _ in range(2):
        scene.group.failover()
        for number in range(40):
            scene.instances[number % 2].increment()  # refused or not: what counts is what the store has
        master = scene.group.elected(scene.crowd, master)
        scene.settled(master)
        scene.still_works(master)


@test
def master_dies_and_comes_back(case):
    # contract 7.8
    scene = Scene(case)
    old = scene.group.servers[0]
    until(scene.instances[0].increment)
    old.kill()
    master = scene.group.elected(scene.crowd, old)
    scene.settled(master)
    scene.still_works(master)
    old.start()
    until(lambda: not old.is_master(), ELECTED_S, "the old master is a replica")
    scene.still_works(master)


@test
def master_that_hung_goes_on_answering(case):
    # contract 7.8: nobody has told it yet
    scene = Scene(case)
    old = scene.group.servers[0]
    old.signal(signal.SIGSTOP)
    master = scene.group.elected(scene.crowd, old)
    old.signal(signal.SIGCONT)
    scene.settled(master)
    scene.still_works(master)


@test
def sentinels_ask_for_a_password_of_their_own(case):
    # contract 7.8, 7.7
    group = Group(case, "word")
    path = os.path.join(case.folder, "password")
    with open(path, "w", encoding="utf-8") as file:
        file.write("word\n")
    bridge = case.bridge("--redis-sentinel-password-file", path, redis=group.url)
    until(bridge.ready, 2)
    assert until(bridge.increment) == 1


@test
def sentinels_go_one_after_the_other(case):
    # contract 7.8: as long as the master stands they are not missed
    scene = Scene(case)
    master = scene.group.servers[0]
    for sentinel in scene.group.sentinels:
        sentinel.kill()
        scene.still_works(master)


if __name__ == "__main__":
    main()
