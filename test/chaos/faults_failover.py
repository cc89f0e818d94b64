"""What can go wrong with who is the master."""
from faults import fault


@fault("demotion", topologies=("one",))
async def demotion(scene):
    """REPLICAOF: the master is a replica, without its clients being told. The address follows a while later."""
    await scene.aside(scene.topology.move)
    await scene.half_over()
    scene.topology.lead()
    await scene.over()
