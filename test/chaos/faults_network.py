"""What can go wrong between the instances and their Redis."""
from faults import fault
from network import BOTH, FROM, TO, Disturbance


def links_of(scene, **how):
    """Those of one instance or of all to every node, or to one of them. With the instances that are cut off."""
    instances = scene.some_instances()
    owners = {instance.name for instance in instances}
    if len(instances) > 1:
        owners.add("publisher")
    doors = scene.topology.doors()
    nodes = scene.draw.choice([None, {scene.draw.choice(doors)}])
    return Disturbance(nodes, owners, **how), instances if nodes is None or len(doors) == 1 else []


def reset_all(scene, disturbance):
    for link in scene.network.touched(disturbance):
        link.reset()


@fault("cut")
async def cut(scene):
    """Links are torn, new ones refused."""
    disturbance, instances = links_of(scene, refuses=True)
    with scene.network.disturbed(disturbance), scene.oracle.severed(instances):
        reset_all(scene, disturbance)
        await scene.over()


@fault("reset")
async def reset(scene):
    """Links are torn once."""
    reset_all(scene, links_of(scene)[0])
    await scene.over()


@fault("half-close")
async def half_close(scene):
    """One side says that it sends no more."""
    way = scene.draw.choice(BOTH)
    for link in scene.network.touched(links_of(scene)[0]):
        link.half_close(way)
    await scene.over()


async def hold(scene, *ways):
    disturbance, instances = links_of(scene, holds=ways)
    with scene.network.disturbed(disturbance), scene.oracle.severed(instances):
        await scene.over()
        if scene.draw.random() < 0.3:
            reset_all(scene, disturbance)


@fault("black-hole")
async def black_hole(scene):
    """Nothing gets through."""
    await hold(scene, *BOTH)


@fault("black-hole-there")
async def black_hole_there(scene):
    """Nothing gets to Redis; what it sends does come."""
    await hold(scene, TO)


@fault("black-hole-back")
async def black_hole_back(scene):
    """What is sent gets to Redis; nothing comes back."""
    await hold(scene, FROM)


@fault("half-open", extra_s=5)
async def half_open(scene):
    """The other side has forgotten the links: found by their silence within 5 s (contract 7.3)."""
    for link in scene.network.touched(links_of(scene)[0]):
        link.forget()
    await scene.over()


@fault("delay")
async def delay(scene):
    """Everything comes late."""
    disturbance, _ = links_of(scene, delay_s=scene.draw.uniform(0.05, 0.5))
    with scene.network.disturbed(disturbance):
        await scene.over()


@fault("throttle")
async def throttle(scene):
    """So few bytes get through that links are busy all the time."""
    disturbance, _ = links_of(scene, bytes_per_s=scene.draw.uniform(300, 3000))
    with scene.network.disturbed(disturbance):
        await scene.over()
