"""What can go wrong with who is the master."""
from faults import fault


@fault("demotion", topologies=("one",))
async def demotion(scene):
    """REPLICAOF: the master is a replica, without its clients being told. The address follows, at once or later."""
    await scene.aside(scene.topology.move)
    if scene.draw.random() < 0.5:
        await scene.half_over()
    scene.topology.lead()
    await scene.over()
