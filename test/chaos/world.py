"""One run: all that takes part, and the rounds of faults and quiet points."""
import asyncio
import concurrent.futures
import random
import shutil
import tempfile

import faults_failover
import faults_instance
import faults_network
import faults_redis
from clients import Client
from faults import KINDS, Scene
from instances import Instance
from network import Network
from oracle import Oracle
from publishers import CPublisher, HttpPublisher, Program, StrangePublisher, Topic
from servers import Secret
from support import Expired, Redis
from wire import RedisError

assert faults_failover and faults_instance and faults_network and faults_redis  # they register their kinds

INSTANCES = 3
CLIENTS = 60
THREADS = 64         # for what blocks; each waits for an answer of another process
SETTLE_S = 20.0      # that a world in which something was wrong has to come to rest

WAYS = [("counter", HttpPublisher, 0.2), ("board/h1", HttpPublisher, 0.3), ("board/s1", StrangePublisher, 0.1),
        ("board/s2", StrangePublisher, 0.3), ("board/s3", StrangePublisher, 0.5), ("board/c1", CPublisher, 0.05),
        ("board/c2", CPublisher, 0.3), ("board/c3", CPublisher, 0.5)]


class World:
    def __init__(self, topology, seed, patience, say):
        self.say = say
        self.random = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix="chaos-")
        self.executor = concurrent.futures.ThreadPoolExecutor(THREADS)
        self.secret = Secret(self.folder)
        self.network = Network()
        self.oracle = Oracle(self, patience)
        self.topology = topology(self)
        self.store = Redis(self.folder)
        self.instances = [Instance(self, "instance %d" % number) for number in range(INSTANCES)]
        self.program = Program(self)
        self.publishing = asyncio.Event()
        self.publishers = []
        self.topics = []
        self.clients = []
        self.tasks = []

    def now(self):
        return asyncio.get_running_loop().time()

    def begin_aside(self, function, *arguments):
        """In a thread: it may block."""
        return asyncio.get_running_loop().run_in_executor(self.executor, function, *arguments)

    async def aside(self, function, *arguments):
        return await self.begin_aside(function, *arguments)

    async def moment(self):
        await asyncio.sleep(0.02)

    async def start(self):
        await self.aside(self.store.start)
        await self.topology.start()
        for instance in self.instances:
            await self.aside(instance.start)
        for instance in self.instances:
            await self.aside(instance.wait)
        await self.program.start()
        for name, way, pace_s in WAYS:
            self.topics.append(Topic(name))
            self.publishers.append(way(self, self.topics[-1], pace_s))
        for publisher in self.publishers:
            await publisher.commit()  # there is something to show
        self.clients = [self.make_client(number) for number in range(CLIENTS)]
        runners = [*self.clients, *self.publishers]
        self.tasks = [asyncio.create_task(runner.run()) for runner in runners]
        self.tasks += [asyncio.create_task(self.oracle.watch(instance)) for instance in self.instances]

    def make_client(self, number):
        """Each sixth has three views, each fifth is slow, each second takes gzip."""
        count = 3 if number % 6 == 0 else 1
        topics = [self.topics[(number + i) % len(self.topics)] for i in range(count)]
        return Client(self, number, topics, slow=number % 5 == 0, packed=number // 3 % 2 == 0)

    def instance_gone(self, instance):
        for publisher in self.publishers:
            publisher.instance_gone(instance)

    # ---- a round ----

    async def fail(self, item):
        """One fault. False: it was not possible as things stood."""
        await asyncio.sleep(item.starts_s)
        try:
            await KINDS[item.kind].run(Scene(self, item))
            return True
        except (OSError, RedisError, Expired) as error:
            self.say("   %s was not possible: %s" % (item.kind, error))
            return False

    async def round(self, its):
        """Faults that overlap, then a quiet point. Returns the time to heal, None if something was wrong, and the kinds
        of the faults that were possible."""
        self.publishing.set()
        faults = [asyncio.create_task(self.fail(item)) for item in its.items]
        await asyncio.sleep(its.silent_at_s)
        self.publishing.clear()
        done = await asyncio.gather(*faults)
        ended_at = await self.aside(self.topology.restore)
        extra_s = max(KINDS[item.kind].extra_s for item in its.items)
        heal_s = await self.oracle.heals(ended_at, extra_s)
        await self.oracle.all_ready(ended_at, extra_s)
        for instance in self.instances:
            for problem in instance.reports():
                self.oracle.complain(problem)
        for publisher in self.publishers:
            publisher.settled()
        if heal_s is None:
            await self.settle()
        await self.aside(self.topology.rest)
        return heal_s, [item.kind for item, was_done in zip(its.items, done) if was_done]

    async def settle(self):
        """So that the next round does not begin with what was wrong in this one."""
        began = self.now()
        if await self.oracle.heals(began + SETTLE_S, 0) is None:
            self.say("   nor has it healed %.0f s later" % SETTLE_S)
        else:
            self.say("   it has healed %.1f s later" % (self.now() - began))

    async def close(self):
        """What is wrong at the end: an instance that does not leave in order."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        problems = []
        for instance in self.instances:
            problems += await self.aside(instance.close)
        if self.program.process:
            status = await self.program.close()
            problems += ["the publisher left with %s" % status] if status != 0 else []
        await self.network.close()
        self.topology.close()
        self.store.kill()
        self.executor.shutdown()
        return problems

    def forget(self):
        shutil.rmtree(self.folder, ignore_errors=True)
