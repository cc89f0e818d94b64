"""Where a measurement runs: redis-servers under sentinels or in a cluster, a store beside them, and instances.

The servers are those of test/chaos, without its doors: everybody talks to them directly, so that only they and the
library take time.
"""
import asyncio
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [os.path.join(TOP, folder) for folder in ("bench/stated", "test/chaos", "test/e2e", "bridge/demo_lib")]
from servers import INSTANCES, PASSWORD, USER, Secret
from support import BUILD, Bridge, Redis, until

UNLIMITED = [word for name in ("streams", "streams-per-client", "topics", "new-topics", "new-topics-per-client")
             for word in ("--max-" + name, "0")]
READY_S = 3  # stated to until(), which waits ten times that


class NoDoors:
    """As the network of test/chaos, with nothing between those who talk."""

    def __init__(self):
        self.pids = {}

    def address_of(self, port):
        return port

    async def door(self, *_):
        pass


class Place:
    """`topology`: the class of one of test/chaos. All that was started here ends with it."""

    def __init__(self, topology):
        self.folder = tempfile.mkdtemp(prefix="several-")
        self.stack = contextlib.ExitStack()
        self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.network, self.secret = NoDoors(), Secret(self.folder)
        self.topology = topology(self)
        self.store = Redis(self.folder, "--appendonly", "no")
        self.instances = []

    def __enter__(self):
        try:
            self.stack.callback(self.topology.close)
            asyncio.run(self.topology.start())
            self.stack.callback(self.store.kill)
            self.store.start()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    async def aside(self, function, *arguments):
        return function(*arguments)

    def url(self, user=USER):
        return self.topology.url(user)

    def start_instances(self, count, url=None):
        """They keep their state in the store, so that no change of it is lost with a master."""
        for _ in range(count):
            instance = Bridge(self.folder, "--store", self.store.url, "--log-level", "error", *UNLIMITED,
                              redis=url or self.url(INSTANCES))
            self.stack.callback(instance.kill)
            self.instances.append(instance)
        for instance in self.instances:
            until(instance.ready, READY_S, "an instance is ready")

    def stop_instances(self):
        for instance in self.instances:
            instance.signal(signal.SIGTERM)
        for instance in self.instances:
            instance.wait(READY_S)
        self.instances = []

    def count(self, metric):
        """The sum over all instances."""
        return sum(instance.metric(metric) for instance in self.instances)

    def program(self, name, *arguments, stdout):
        """One that bench/ builds, with a pipe to it."""
        with open(self.log(name), "wb") as log:
            child = subprocess.Popen([os.path.join(BUILD, "bench", name), *arguments], stdin=subprocess.PIPE,
                                     stdout=stdout, stderr=log)
        self.stack.callback(child.kill)
        return child

    def log(self, name):
        return os.path.join(self.folder, name + ".log")


def single_url(server, user=USER):
    """The form for a server that stands alone."""
    return "redis://%s:%s@127.0.0.1:%d" % (user, PASSWORD, server.port)


def raise_descriptors():
    """Each stream is one here, and one in an instance, which sees to itself."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
