"""Knows what was accepted, watches all the time what the clients and the instances say, and judges."""
import asyncio
import collections
import contextlib
import http.client

# Stated times, in seconds.
HEAL_S = 2.0        # from the end of a fault until every client shows the newest; report.py judges the median
UNPROVED_S = 4.0    # from when deliveries have become impossible until readiness says so: a probe each second, the
                    # newest of which has to be two seconds old at most
FOUND_S = 8.0       # until an instance whose deliveries fail for another reason is not ready: a half-open link is
                    # found within 5 s, a server that is no master within two probes
READY_S = 3.0       # from the end of a fault until every instance is ready: as the streams, and then a probe
ANSWER_S = 2.0      # that an instance takes to say that it lives
LOOK_S = 0.25
SHOWN = 3           # of what is wrong in the same way
START_S = 3.0       # that an instance is left alone when it was started, or stood still

END = "going-away"  # the only reason why a stream may end, where the instance was told to leave


class Oracle:
    def __init__(self, world, patience):
        self.world, self.patience = world, patience
        self.problems = []
        self.deliveries = 0
        self.readiness_looks = 0
        self.load_errors = collections.Counter()
        self.newest = {}         # by topic: what was accepted and when, the newest last
        self.severed_since = {}  # by instance: (how many faults, since when)
        self.splits, self.split_at = 0, float("-inf")  # how many there are, and when the last one ended

    def complain(self, text):
        if text not in self.problems:
            self.problems.append(text)
            self.world.say("!! " + text)

    def take_problems(self):
        found, self.problems = self.problems, []
        return found

    # ---- what clients see ----

    def accepted(self, topic, state):
        self.newest.setdefault(topic, collections.deque(maxlen=1000)).append((self.world.now(), state))

    def delivered(self, client, topic, state):
        """No connection goes back in time."""
        self.deliveries += 1
        before = client.brought.get(topic)
        if before is not None and any(now < was for now, was in zip(state, before)):
            self.complain("%s of %s: %s goes back from %r to %r" %
                          (client.name, client.instance.name, topic.name, before, state))

    def ended(self, client, parser):
        """Streams end for documented reasons only."""
        instance = client.instance
        told = client.end and client.end["code"]
        gone = instance.lives != client.life or instance.killed > 0 or instance.leaving
        if client.dropped:
            return
        if told is None and not gone:
            self.complain("%s: its stream of %s ended without a word (status %s, after %d snapshots)" %
                          (client.name, instance.name, parser.status, parser.snapshots))
        elif told is not None and not (gone and told == END):
            self.complain("%s: %s has ended its stream: %r" % (client.name, instance.name, client.end))

    def stale(self, client, topic, newest):
        shown = client.shown[topic]
        return shown is None or any(now < wanted for now, wanted in zip(shown, newest))

    # ---- what instances say ----

    @contextlib.contextmanager
    def severed(self, instances):
        """While it lasts, nothing that is published can reach these."""
        now = self.world.now()
        for instance in instances:
            count, since = self.severed_since.get(instance, (0, now))
            self.severed_since[instance] = count + 1, since
        try:
            yield
        finally:
            for instance in instances:
                count, since = self.severed_since.pop(instance)
                if count > 1:
                    self.severed_since[instance] = count - 1, since

    @contextlib.contextmanager
    def split(self):
        """While it lasts, what one master accepts need not reach those who are with another: it is made good when it is
        over (contract 3.2)."""
        self.splits += 1
        try:
            yield
        finally:
            self.splits -= 1
            self.split_at = self.world.now()

    async def watch(self, instance):
        """Looks at it again and again: it lives, and is ready only if it has reason to be."""
        while True:
            await asyncio.sleep(LOOK_S)
            if not instance.serves():
                continue
            life, asked_at = instance.lives, self.world.now()
            ready = await self.ask(instance, "/health/ready")
            live = await self.ask(instance, "/health/live")
            took = self.world.now() - asked_at
            if not instance.serves() or instance.lives != life or asked_at < instance.begun_at + START_S:
                continue
            self.readiness_looks += 1
            if live != 200 or took > ANSWER_S * self.patience:
                self.complain("%s does not live: %s after %.1f s" % (instance.name, live, took))
            if ready == 200:
                self.doubt(instance, asked_at)

    async def ask(self, instance, path):
        try:
            return (await self.world.aside(instance.ask, path)).status
        except (OSError, http.client.HTTPException) as error:
            return error

    def doubt(self, instance, asked_at):
        """It has said that deliveries are proved."""
        _, since = self.severed_since.get(instance, (0, asked_at))
        if asked_at - since > UNPROVED_S * self.patience:
            self.complain("%s is ready, %.1f s after nothing could reach it any more" %
                          (instance.name, asked_at - since))
        old_enough = asked_at - FOUND_S * self.patience
        if self.splits > 0 or self.split_at > old_enough:
            return
        for client in self.world.clients:
            if client.instance is not instance or client.asked_at is None or client.asked_at > old_enough:
                continue
            for topic in client.topics.values():
                known = [state for at, state in self.newest.get(topic, ()) if at < old_enough]
                if known and self.stale(client, topic, known[-1]):
                    self.complain("%s is ready, but %s shows %r of %s, and %r was accepted %.1f s ago" %
                                  (instance.name, client.name, client.shown[topic], topic.name, known[-1],
                                   FOUND_S * self.patience))
                    return

    # ---- quiet points ----

    async def heals(self, ended_at, extra_s):
        """Every client shows the newest within the stated time, without another publish. Returns how long the last of
        them took, None if one took too long."""
        bound = HEAL_S * self.patience + extra_s
        if not await self.within(bound, lambda: not any(topic.waits or topic.owes for topic in self.world.topics)):
            self.complain("publishes that are not accepted %.1f s after the end: %s" %
                          (bound, [topic.name for topic in self.world.topics if topic.waits or topic.owes]))
            return None
        newest = {topic: await self.world.aside(topic.stored, self.world.store) for topic in self.world.topics}
        healed = {}
        while len(healed) < sum(len(client.topics) for client in self.world.clients):
            late = self.look_for_late(newest, ended_at, healed, bound)
            if late:
                for text in late[:SHOWN]:
                    self.complain(text)
                self.complain("%d views are late in all" % len(late))
                return None
            await asyncio.sleep(0.005)
        self.compare(newest)
        return max(healed.values())

    def compare(self, newest):
        """All show the same, byte for byte (contract 5.3), and nothing that has never been."""
        versions = collections.defaultdict(set)
        for client in self.world.clients:
            for topic in client.topics.values():
                versions[topic].add(client.versions[topic])
                if client.shown[topic] != newest[topic]:
                    self.complain("%s of %s shows %r of %s, which is %r" % (
                        client.name, client.instance.name, client.shown[topic], topic.name, newest[topic]))
        for topic, found in versions.items():
            if len(found) > 1:
                self.complain("%s has %d versions: %s" % (topic.name, len(found), found))

    def look_for_late(self, newest, ended_at, healed, bound):
        late = []
        now = self.world.now()
        for client in self.world.clients:
            for topic in client.topics.values():
                if (client, topic) in healed:
                    continue
                # What it asks later can be answered later only.
                began = max(ended_at, topic.accepted_at, client.asked_at or now)
                fresh = client.asked_at and not self.stale(client, topic, newest[topic])
                took = (client.shown_at[topic] if fresh else now) - began
                if fresh and took <= bound:
                    healed[client, topic] = max(0.0, took)
                elif took > bound:
                    late.append("%s of %s shows %r of %s %.1f s after the end, %r is the newest; health: %s" % (
                        client.name, client.instance.name, client.shown[topic], topic.name, took,
                        newest[topic], client.instance.health()))
        return late

    async def within(self, seconds, condition):
        end = self.world.now() + seconds
        while not condition():
            if self.world.now() > end:
                return False
            await asyncio.sleep(0.005)
        return True

    async def all_ready(self, ended_at, extra_s):
        """Readiness comes back."""
        for instance in self.world.instances:
            while (status := await self.ask(instance, "/health/ready")) != 200:
                took = self.world.now() - ended_at
                if took > READY_S * self.patience + extra_s:
                    self.complain("%s is not ready %.1f s after the end: %s, %s" %
                                  (instance.name, took, status, instance.health()))
                    break
                await asyncio.sleep(0.05)
