"""What can go wrong with a redis-server."""
import contextlib

from faults import fault
from servers import INSTANCES, USER
from wire import RedisError


@fault("kill")
async def kill(scene):
    server = await scene.master()
    try:
        await scene.aside(server.go_down)
        with scene.severed():
            await scene.over()
    finally:
        await scene.aside(server.come_up)


@fault("stop")
async def stop(scene):
    """SIGSTOP: connections stand and nobody answers."""
    server = await scene.master()
    server.freeze()
    try:
        with scene.severed():
            await scene.over()
    finally:
        server.thaw()


@fault("pause")
async def pause(scene):
    """CLIENT PAUSE, as before a planned failover."""
    server = await scene.master()
    await scene.aside(server.command, "CLIENT", "PAUSE", int(scene.item.lasts_s * 1000),
                      scene.draw.choice(["WRITE", "ALL"]))
    with scene.severed():
        await scene.over()


@fault("client-kill")
async def client_kill(scene):
    server, kind = await scene.master(), scene.draw.choice(["pubsub", "normal"])
    await scene.aside(server.command, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    await scene.over()


@fault("tiny-buffers")
async def tiny_buffers(scene):
    """Redis closes whoever does not take what is published at once; nobody is told."""
    server = await scene.master()
    await scene.aside(server.command, "CONFIG", "SET", "client-output-buffer-limit", "pubsub 20000 20000 1")
    for topic in scene.world.topics:
        await scene.aside(scene.topology.publish_at, server, topic.name, b"x" * 60000)
    await scene.over()


async def give_password(scene, user, value):
    """From now on it is this, also for those who have logged in before."""
    for server in scene.topology.servers:
        with contextlib.suppress(OSError):  # another fault has it
            await scene.aside(server.set_password, user, value)
            await scene.aside(server.command, "CLIENT", "KILL", "USER", user)


@fault("password")
async def password(scene):
    """Nobody's password is right."""
    for user in (USER, INSTANCES):
        await give_password(scene, user, "other")
    with scene.severed():
        await scene.over()


@fault("new-password")
async def new_password(scene):
    """The instances get a new one, in their file and on the servers."""
    scene.world.secret.change()
    await give_password(scene, INSTANCES, scene.world.secret.value)
    await scene.over()


@fault("disk-full")
async def disk_full(scene):
    """A snapshot fails: writes and PING are answered with MISCONF."""
    server = await scene.master()
    await scene.aside(server.lose_disk)
    await scene.over()


@fault("busy-script")
async def busy_script(scene):
    """A script without an end: commands are answered with BUSY until it is killed."""
    server = await scene.master()

    def run():
        with server.client() as client:
            client.socket.settimeout(scene.item.lasts_s + 60)
            try:
                client.command("EVAL", "while true do end", 0)
            except (OSError, RedisError):
                pass  # killed, or the server is

    script = scene.world.begin_aside(run)
    try:
        with scene.severed():
            await scene.over()
    finally:
        while not script.done():
            try:
                await scene.aside(server.command, "SCRIPT", "KILL")
            except (OSError, RedisError):
                await scene.world.moment()
        await script
