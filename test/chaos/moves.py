"""Moves slots of a cluster from master to master, as redis-cli does it. There are no keys in them."""
import collections
import contextlib
import threading
import time

from slots import SLOTS, owners_of

AT_ONCE = 100  # slots


class Moves:
    def __init__(self, cluster):
        self.cluster = cluster
        self.moving = threading.Lock()

    def migrate(self, draw, ends_at):
        """Moves up to half of what the largest has to another, until then."""
        with self.one_mover():
            self.move_some(draw, ends_at)

    @contextlib.contextmanager
    def one_mover(self):
        """Tools that move slots refuse to work while another one does."""
        if not self.moving.acquire(blocking=False):
            raise OSError("slots are being moved")
        try:
            yield
        finally:
            self.moving.release()

    def move_some(self, draw, ends_at):
        view = self.cluster.view()
        owned = collections.defaultdict(list)
        for first, last, port in view:
            owned[port] += range(first, last + 1)
        source = max(sorted(owned), key=lambda port: len(owned[port]))
        target = draw.choice([port for port in sorted(owned) if port != source])
        half = len(owned[source]) // 2
        start = draw.randrange(len(owned[source]) - half + 1)
        slots = owned[source][start:start + half]
        for at in range(0, len(slots), AT_ONCE):
            if time.monotonic() > ends_at:
                return
            self.move(slots[at:at + AT_ONCE], self.cluster.at(source), self.cluster.at(target))

    def move(self, slots, source, target):
        if source.role() != "master" or target.role() != "master":
            raise OSError("a master has been replaced")

        def set_slots(server, *state):
            server.pipeline([("CLUSTER", "SETSLOT", slot, *state) for slot in slots])

        set_slots(target, "IMPORTING", source.id)
        set_slots(source, "MIGRATING", target.id)
        set_slots(target, "NODE", target.id)
        set_slots(source, "NODE", target.id)

    def mend(self):
        """A move of slots that met a failover may leave masters of two minds, for good: most of them are right."""
        view = self.cluster.view()
        wanted = owners_of(view)
        for server in self.cluster.servers:
            mine = owners_of(server.slots())
            wrong = [slot for slot in range(SLOTS) if wanted[slot] not in (None, mine[slot])]
            if server.role() == "master" and wrong:
                owners = [self.cluster.at(wanted[slot]).id for slot in wrong]
                server.pipeline([("CLUSTER", "SETSLOT", slot, "NODE", owner) for slot, owner in zip(wrong, owners)])
        for master in self.cluster.masters():
            master.command("CLUSTER", "BUMPEPOCH")
