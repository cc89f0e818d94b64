"""redis-servers that can be killed, stopped and asked by us past all doors."""
import os
import signal
import time

from support import Redis, RedisClient, RedisError, until

ADMIN_S = 3  # that we wait for an answer

# Of the publishers, of the instances, whose password a file has and may change; we are the default user.
USER, PASSWORD = "app", "word"
INSTANCES = "web"
RIGHTS = ("resetchannels &freshet:* +publish +subscribe +unsubscribe +ping +role +client|setname "
          "+spublish +ssubscribe +sunsubscribe +cluster")
# In a file that the server keeps: a master that was demoted is none when it starts again. Only channels are in it, the
# state is kept elsewhere.
CONFIG = """bind 127.0.0.1
save ""
enable-protected-configs yes
shutdown-timeout 0
repl-diskless-sync-delay 0
busy-reply-threshold 100
user %s on >%s %s
user %s on >%s %s
""" % (USER, PASSWORD, RIGHTS, INSTANCES, PASSWORD, RIGHTS)

# What a fault may have set.
USUAL = {"client-output-buffer-limit": "pubsub 33554432 8388608 60", "save": ""}


class Since:
    """Since when something has been what it is."""

    def __init__(self):
        self.value, self.at = None, 0.0

    def see(self, value):
        if value != self.value:
            self.value, self.at = value, time.monotonic()


def seen(look):
    """What look() returns; None if it fails."""
    try:
        return look()
    except (OSError, RedisError):
        return None


def settle(look, stated_s, what):
    """until(), for what may still fail in any way."""
    until(lambda: seen(look), stated_s, what)


class Secret:
    """The instances' password, in a file that they read."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "password")
        self.count = 0
        self.write(PASSWORD)

    def write(self, value):
        self.value = value
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(value + "\n")
        os.rename(self.path + ".new", self.path)

    def change(self):
        self.count += 1
        self.write("%s-%d" % (PASSWORD, self.count))


class Server(Redis):
    """Faults that overlap may stop one more than once: it goes on when the last of them is over."""

    def __init__(self, world, name, config=CONFIG):
        super().__init__(world.folder)
        self.world, self.name = world, name
        self.killed = self.frozen = 0
        self.lost_folder = os.path.join(self.folder, "lost")
        self.config = os.path.join(self.folder, "redis.conf")
        self.configure("port %d\ndir %s\n" % (self.port, self.folder) + config)

    def configure(self, lines):
        with open(self.config, "a", encoding="ascii") as file:
            file.write(lines)

    def arguments(self):
        return [self.config]

    def start(self, wait=True):
        os.makedirs(self.lost_folder, exist_ok=True)  # its own file may name it
        super().start(wait)
        self.world.network.pids[self.process.pid] = self.name
        return self

    def client(self):
        return RedisClient(self.port, self.password, ADMIN_S)

    def go_down(self):
        self.killed += 1
        self.kill()

    def come_up(self):
        self.killed -= 1
        if self.killed == 0 and not self.process.running():
            self.start(wait=False)

    def freeze(self):
        self.frozen += 1
        self.send(signal.SIGSTOP)

    def thaw(self):
        self.frozen -= 1
        if self.frozen == 0:
            self.send(signal.SIGCONT)

    def send(self, number):
        if self.process.running():
            os.kill(self.process.pid, number)

    def lose_disk(self):
        """Its folder is gone, and the snapshot that it makes fails."""
        os.makedirs(self.lost_folder, exist_ok=True)
        self.command("CONFIG", "SET", "save", "3600 1")
        self.command("CONFIG", "SET", "dir", self.lost_folder)
        os.rmdir(self.lost_folder)
        self.command("BGSAVE")

    def calm(self):
        """No trace of what a fault has set. Whoever is made a replica just then ends our connection."""
        settle(self.set_usual, 2, self.name + " answers")

    def set_usual(self):
        self.command("CLIENT", "UNPAUSE")
        self.command("CONFIG", "SET", "dir", self.folder)
        for name, value in USUAL.items():
            self.command("CONFIG", "SET", name, value)
        self.set_password(USER, PASSWORD)
        self.set_password(INSTANCES, self.world.secret.value)
        return True

    def set_password(self, user, value):
        self.command("ACL", "SETUSER", user, "resetpass", ">" + value)

    def role(self):
        return self.command("ROLE")[0].decode()

    def is_in_step(self):
        """A replica with a master that it follows."""
        role = self.command("ROLE")
        return role[0] == b"slave" and role[3] == b"connected"
