"""The programs of the demo: a Redis and two instances, each of which can be killed and started again in its place."""
import os
import shutil
import subprocess
import sys
import time

from wire import RedisClient, RedisError, free_port

PREFIX = "freshet:"
START_S = 10
STOP_S = 10  # an instance leaves after 7 s at the latest
NEW_PORTS = 20  # how often others are tried, if one is taken in the meantime


class Program:
    """A child in a session of its own, so that ctrl-C reaches the demo alone. What it says goes to files."""

    def __init__(self, folder, name):
        self.name = name
        self.out, self.log = (os.path.join(folder, name + ending) for ending in (".out", ".log"))
        self.child = None

    @property
    def runs(self):
        return self.child is not None and self.child.poll() is None

    def launch(self, arguments, answers):
        """Whether it answers now; if not, it has gone."""
        with open(self.out, "wb") as out, open(self.log, "ab") as log:
            self.child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                                          start_new_session=True)
        end = time.monotonic() + START_S
        while self.child.poll() is None and time.monotonic() < end:
            if answers():
                return True
            time.sleep(0.02)
        self.kill()
        return False

    def kill(self):
        if self.runs:
            self.child.kill()
            self.child.wait()

    def ask_to_leave(self):
        if self.runs:
            self.child.terminate()

    def leave(self):
        """The status that it leaves with, or has left with; None: it never ran."""
        self.ask_to_leave()
        try:
            return self.child and self.child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.child.returncode

    def last_lines(self):
        if self.child is None:
            return ""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "==> %s <==\n%s" % (self.log, "".join(log.readlines()[-20:]))


class Redis(Program):
    """Every change is on disk before it is answered, so that it survives a kill."""

    def __init__(self, folder):
        super().__init__(folder, "redis")
        self.folder = folder
        self.socket = os.path.join(folder, "redis.sock")
        self.port = None
        # The binary of redis-tools is the server, if it is called so; as is that of valkey-tools.
        self.binary = os.path.join(folder, "redis-server")
        os.symlink(shutil.which("redis-check-rdb") or shutil.which("valkey-check-rdb"), self.binary)

    def start(self, hidden=False):
        """`hidden`: only on its Unix socket."""
        return self.launch([self.binary, "--port", "0" if hidden else str(self.port), "--bind", "127.0.0.1",
                            "--unixsocket", self.socket, "--dir", self.folder, "--save", "", "--appendonly", "yes",
                            "--appendfsync", "always", "--logfile", self.log], self.answers)

    def command(self, *words):
        """Over the Unix socket."""
        with RedisClient(self.socket) as client:
            return client.command(*words)

    def answers(self):
        try:
            return self.command("PING") == "PONG"
        except (OSError, RedisError):
            return False


class Instance(Program):
    def __init__(self, folder, name, bridge, redis, control):
        super().__init__(folder, name)
        self.bridge, self.redis, self.control = bridge, redis, control
        self.port = self.peer = None

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def start(self):
        """Each may be shown on the page of the other."""
        options = ["--listen", "127.0.0.1:%d" % self.port, "--redis", "redis://127.0.0.1:%d" % self.redis.port,
                   "--prefix", PREFIX, "--peer", self.peer.url, "--allow-origin", self.peer.url]
        if self.control is not None:
            options += ["--demo-control", "http://127.0.0.1:%d" % self.control]
        return self.launch([self.bridge] + options, lambda: os.path.getsize(self.out) > 0)


class Programs:
    """`control`: the port on which the page's buttons will be listened to; None: there are none."""

    def __init__(self, bridge, folder, control):
        self.redis = Redis(folder)
        self.instances = [Instance(folder, name, bridge, self.redis, control) for name in ("A", "B")]
        self.a, self.b = self.instances
        self.a.peer, self.b.peer = self.b, self.a

    def start(self):
        for _ in range(NEW_PORTS):
            self.redis.port = free_port()
            if self.redis.start() and self.start_instances():
                return
            self.stop()
        self.show_logs()
        sys.exit("the programs of the demo do not start")

    def start_instances(self):
        """They know each other's port before they listen."""
        for instance in self.instances:
            instance.port = free_port()
        return all(instance.start() for instance in self.instances)

    def stop(self):
        """All at once; the instances do not need Redis for it."""
        for program in self.instances + [self.redis]:
            program.ask_to_leave()
        for program in self.instances + [self.redis]:
            program.leave()

    def show_logs(self):
        for program in self.instances + [self.redis]:
            print(program.last_lines(), file=sys.stderr)
