"""The instances of freshet-bridge under test: killed, stopped, drained, and started again on the same port."""
import http.client
import json
import os
import signal
import time

from servers import INSTANCES
from support import Bridge, free_port, request, until


class Instance:
    def __init__(self, world, name):
        self.world, self.name = world, name
        self.port = free_port()
        self.process = None
        self.killed = self.frozen = 0
        self.lives = 0       # how often it was started
        self.begun_at = 0.0  # the newest one, or when it went on
        self.leaving = False  # it was told to
        self.shot = False
        self.problems = []

    def start(self):
        world = self.world
        self.process = Bridge(world.folder, "--threads", "2", "--store", world.store.url, "--redis-password-file",
                              world.secret.path, redis=world.topology.url(INSTANCES), port=self.port, wait=False)
        self.lives += 1
        self.begun_at = time.monotonic()
        self.leaving = self.shot = False
        world.network.pids[self.process.pid] = self.name

    def serves(self):
        return self.killed == 0 and self.frozen == 0 and not self.leaving

    def go_down(self, number):
        """SIGKILL, or SIGTERM and its orderly end."""
        self.killed += 1
        self.leaving = True
        self.shot = self.shot or number == signal.SIGKILL
        if self.process.running():
            self.process.signal(number)
            status = self.process.wait(3)
            if status != 0 and not self.shot:
                self.problems.append("%s left with %s" % (self.name, status))

    def come_up(self):
        self.killed -= 1
        if self.killed == 0:
            self.start()

    def freeze(self):
        self.frozen += 1
        if self.process.running():
            self.process.signal(signal.SIGSTOP)

    def thaw(self):
        self.frozen -= 1
        if self.frozen == 0 and self.process.running():
            self.process.signal(signal.SIGCONT)
            self.begun_at = time.monotonic()

    def ask(self, path):
        return request(self.port, "GET", path)

    def health(self):
        """What it says of itself, for people."""
        try:
            return json.loads(self.ask("/health/ready").body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return repr(error)

    def wait(self):
        until(self.process.live, 3, self.name + " is live")

    def reports(self):
        """What is wrong with it though nobody has killed it."""
        if self.killed == 0 and not self.process.running():
            self.problems.append("%s has ended:\n%s" % (self.name, self.process.log()[-2000:]))
        found, self.problems = self.problems, []
        return found

    def close(self):
        if self.process and self.process.running():
            os.kill(self.process.pid, signal.SIGCONT)
            self.go_down(signal.SIGTERM)
        return self.problems
