"""What can go wrong: a function for each kind, which begins it, waits until its time is over, and undoes it.

Faults overlap, so one may find that another has taken what it is about: it is then over at once, and not counted.
Which server, instance or way it is about is drawn from its own seed.
"""
import asyncio
import collections
import contextlib
import random

Kind = collections.namedtuple("Kind", "name run topologies extra_s")
KINDS = {}
ALL = ("one", "sentinel", "cluster")


def fault(name, topologies=ALL, extra_s=0):
    """`extra_s`: that the contract gives it beside the time to heal."""
    def register(function):
        KINDS[name] = Kind(name, function, topologies, extra_s)
        return function
    return register


class Scene:
    """One fault at work."""

    def __init__(self, world, item):
        self.world, self.item = world, item
        self.topology, self.network, self.oracle = world.topology, world.network, world.oracle
        self.draw = random.Random(item.seed)
        self.aside = world.aside
        self.ends_at = world.now() + item.lasts_s

    async def over(self):
        await asyncio.sleep(max(0, self.ends_at - self.world.now()))

    async def half_over(self):
        await asyncio.sleep(max(0, self.ends_at - self.world.now()) / 2)

    def some_instances(self):
        """One or all."""
        instances = self.world.instances
        return self.draw.choice([[self.draw.choice(instances)], instances])

    async def masters(self):
        """Servers that publishes go to, now."""
        return await self.aside(self.topology.masters)

    async def master(self):
        return self.draw.choice(await self.masters())

    def severed(self, instances=None):
        """To be told where nothing can be delivered while it lasts."""
        if not self.topology.falls_with_one_server:
            return contextlib.nullcontext()
        return self.oracle.severed(instances or self.world.instances)
