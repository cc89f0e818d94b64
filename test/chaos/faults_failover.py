"""What can go wrong with who is the master, and with those who decide it."""
import contextlib

from faults import fault
from network import BOTH, Disturbance
from servers import Server

GUARDED = ("sentinel", "cluster")  # by others, who make a replica the master
KILLED, HANGS = (Server.go_down, Server.come_up), (Server.freeze, Server.thaw)


@fault("demotion", topologies=("one",))
async def demotion(scene):
    """REPLICAOF: the master is a replica, without its clients being told. The address follows, at once or later."""
    await scene.aside(scene.topology.move)
    if scene.draw.random() < 0.5:
        await scene.half_over()
    scene.topology.lead()
    await scene.over()


@fault("failover", topologies=GUARDED)
async def failover(scene):
    """Asked for: the old master lives on as a replica."""
    await scene.aside(scene.topology.fail_over, scene.draw)
    await scene.over()


@fault("lost-master", topologies=GUARDED)
async def lost_master(scene):
    """The network parts a master from the other servers: another takes its place, and it does not know. Clients are on
    either side, or see both."""
    master = await scene.master()
    names = [instance.name for instance in scene.world.instances] + ["publisher"]
    scene.draw.shuffle(names)
    first, second = sorted(scene.draw.choices(range(len(names) + 1), k=2))
    disturbances = scene.topology.parted(master) + [
        Disturbance({master.name}, set(names[:first]), BOTH),
        Disturbance(set(scene.topology.doors()) - {master.name}, set(names[second:]), BOTH)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(scene.oracle.split())
        for disturbance in disturbances:
            stack.enter_context(scene.network.disturbed(disturbance))
        await scene.over()


@fault("lost-replica", topologies=GUARDED)
async def lost_replica(scene):
    """Killed, or it hangs: it can take nobody's place."""
    masters = await scene.masters()
    replica = scene.draw.choice([server for server in scene.topology.servers if server not in masters])
    await away(scene, [replica], scene.draw.choice([KILLED, HANGS]))


@fault("lost-sentinel", topologies=("sentinel",))
async def lost_sentinel(scene):
    """One or all: links that stand need none, and who has lost his link waits for the first that is back. One that hung
    decides nothing for 30 s, so they must not all hang."""
    sentinels = scene.topology.sentinels
    one = [scene.draw.choice(sentinels)]
    await away(scene, *scene.draw.choice([(one, KILLED), (one, HANGS), (sentinels, KILLED)]))


async def away(scene, servers, ways):
    begin, end = ways
    async with contextlib.AsyncExitStack() as stack:
        for server in servers:
            await scene.aside(begin, server)
            stack.push_async_callback(scene.aside, end, server)
        await scene.over()


@fault("migration", topologies=("cluster",))
async def migration(scene):
    """Slots move to another master."""
    await scene.aside(scene.topology.moves.migrate, scene.draw, scene.ends_at)
    await scene.over()
