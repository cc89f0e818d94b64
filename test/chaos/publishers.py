"""Topics and who changes them: through HTTP, straight in Redis as a stranger, and from C with the library.

A change is made in the store, then announced until the announcement is accepted. What is in the store of a topic is a
tuple of numbers, none of which ever gets smaller.
"""
import asyncio
import contextlib
import http.client
import json
import os

from servers import USER
from support import BUILD, request
from wire import RedisError

PROGRAM = os.path.join(BUILD, "test", "programs", "chaos_publisher")
AGAIN_S = 0.1
MAX_TASKS = 100   # of a board that grows; then they move, one after the other, until all are done
COLUMNS = ("todo", "doing", "done")


class Topic:
    """`name` as in the contract: counter, board/b1."""

    def __init__(self, name):
        self.name, self.path = name, "/" + name
        self.waits = 0          # announcements that are not accepted
        self.accepted_at = 0.0  # the newest one
        self.owes = False       # one that was accepted may be lost with its instance

    def read(self, data):
        """The state that a snapshot shows."""
        if self.name == "counter":
            return (int(data),)
        return state_of(json.loads(data)["tasks"])

    def stored(self, store):
        """The newest state that there is."""
        if self.name == "counter":
            return (int(store.command("GET", "freshet:counter") or 0),)
        words = [word.decode() for word in store.command("HGETALL", "freshet:" + self.name)]
        fields = dict(zip(words[::2], words[1::2]))
        ids = [name[:-len(":title")] for name in fields if name.endswith(":title")]
        return state_of([{"id": int(i), "title": fields[i + ":title"], "column": fields[i + ":column"]} for i in ids])


def state_of(tasks):
    """How many there are, how often the first was edited, and how far all of them have moved."""
    edits = next((int(task["title"]) for task in tasks if task["id"] == 1), 0)
    return len(tasks), edits, sum(COLUMNS.index(task["column"]) for task in tasks)


class Publisher:
    """Changes one topic again and again."""

    answers_for_the_bus = True  # accepted means that the bus has accepted it

    def __init__(self, world, topic, pace_s):
        self.world, self.topic, self.pace_s = world, topic, pace_s
        self.edits = 0

    async def run(self):
        random = self.world.random
        while True:
            if self.world.publishing.is_set() or self.topic.owes:
                self.topic.owes = False
                await self.change()
            else:
                await asyncio.sleep(AGAIN_S / 10)
            await asyncio.sleep(random.expovariate(1 / self.pace_s))

    async def change(self):
        topic = self.topic
        topic.waits += 1
        await self.commit()
        while not await self.announce():
            await asyncio.sleep(AGAIN_S)
        topic.waits -= 1
        topic.accepted_at = self.world.now()
        if self.answers_for_the_bus:
            self.world.oracle.accepted(topic, (1, self.edits, 0))

    def settled(self):
        pass

    def instance_gone(self, instance):
        pass

    async def commit(self):
        """The title of the first task is the number of the edit."""
        self.edits += 1
        await self.world.aside(self.world.store.command, "HSET", "freshet:" + self.topic.name, "next", 1,
                               "1:title", self.edits, "1:column", "todo")


class StrangePublisher(Publisher):
    """PUBLISH, by the book of README."""

    async def announce(self):
        try:
            await self.world.aside(self.world.topology.publish, self.topic.name, b"")
            return True
        except (OSError, RedisError):
            return False


class HttpPublisher(Publisher):
    """A request to an instance changes and publishes. Without an answer it may have done so, and is made again."""

    answers_for_the_bus = False  # the instance may still have it in its queue

    def __init__(self, world, topic, pace_s):
        super().__init__(world, topic, pace_s)
        self.used = set()  # instances that may still have to publish for it
        self.tasks = self.moves = 0

    async def commit(self):
        if self.topic.name != "counter" and self.tasks == 0:
            await super().commit()
            self.tasks = 1

    async def announce(self):
        instance = self.world.random.choice(self.world.instances)
        self.used.add(instance)
        path, body = self.request()
        try:
            response = await self.world.aside(post, instance.port, path, body)
        except (OSError, http.client.HTTPException):
            return False
        self.tasks += response.status == 201
        self.moves += response.status == 200
        return response.status in (200, 201)

    def request(self):
        if self.topic.name == "counter":
            return "/counter/increment", None
        if self.tasks < MAX_TASKS:
            return "/%s/tasks" % self.topic.name, {"title": "more"}
        task, column = divmod(min(self.moves, 2 * MAX_TASKS - 1), 2)
        return "/%s/tasks/%d/move" % (self.topic.name, 1 + task), {"to": COLUMNS[1 + column]}

    def settled(self):
        """All that it has done is shown."""
        self.used.clear()

    def instance_gone(self, instance):
        """It answers before its publish is accepted, and what waits ends with it: whoever sees no change asks again."""
        if instance in self.used:
            self.used.discard(instance)
            self.topic.owes = True


def post(port, path, body):
    return request(port, "POST", path, body)


class CPublisher(Publisher):
    """The library in a process of its own (publisher.c): its answer comes when the bus has accepted."""

    async def announce(self):
        return await self.world.program.publish(self.topic.name.partition("/")[2])


class Program:
    def __init__(self, world):
        self.world = world
        self.process, self.reader = None, None
        self.waiting = {}
        self.number = 0

    async def start(self):
        log = open(os.path.join(self.world.folder, "publisher.log"), "ab")
        with log:
            self.process = await asyncio.create_subprocess_exec(
                PROGRAM, self.world.topology.url(USER), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=log)
        self.world.network.pids[self.process.pid] = "publisher"
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        while line := await self.process.stdout.readline():
            number, _, outcome = line.decode().strip().partition(" ")
            self.waiting.pop(int(number)).set_result(outcome == "accepted")
        self.world.oracle.complain("the publisher has ended: see its log")

    async def publish(self, board):
        self.number += 1
        answer = asyncio.get_running_loop().create_future()
        self.waiting[self.number] = answer
        self.process.stdin.write(b"%d %s\n" % (self.number, board.encode()))
        return await answer

    async def close(self):
        self.reader.cancel()
        self.process.stdin.close()
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(self.process.wait(), 10)
        self.process.kill()
        return await self.process.wait()
