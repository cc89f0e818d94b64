"""What can go wrong with the instances, and their clients."""
import signal

from faults import fault


async def leave(scene, instance, number):
    await scene.aside(instance.go_down, number)
    scene.world.instance_gone(instance)


@fault("instance-kill")
async def instance_kill(scene):
    instance = scene.draw.choice(scene.world.instances)
    try:
        await leave(scene, instance, signal.SIGKILL)
        await scene.over()
    finally:
        await scene.aside(instance.come_up)


@fault("instance-stop")
async def instance_stop(scene):
    """SIGSTOP: as a machine that hangs."""
    instance = scene.draw.choice(scene.world.instances)
    instance.freeze()
    try:
        await scene.over()
    finally:
        instance.thaw()


@fault("drain")
async def drain(scene):
    """SIGTERM, and started again: one after the other, as in a deploy."""
    for instance in scene.some_instances():
        try:
            await leave(scene, instance, signal.SIGTERM)
        finally:
            await scene.aside(instance.come_up)
    await scene.over()


@fault("clients-come-again")
async def clients_come_again(scene):
    """Pages are closed and opened."""
    for client in scene.world.clients:
        if scene.draw.random() < 0.5:
            client.drop()
    await scene.over()
