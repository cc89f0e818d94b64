"""Whether test/chaos would find what it is there to find."""
import asyncio
import os
import subprocess
import sys
import types

from support import TOP, main, test

CHAOS = os.path.join(TOP, "test", "chaos")
sys.path.insert(0, CHAOS)
from oracle import Oracle
from one import One
from publishers import Topic
from schedule import Item, Round
from servers import Server
from world import World


def listed(*options):
    return subprocess.run(["/usr/bin/python3", "-B", os.path.join(CHAOS, "main.py"), "--list", *options], check=True,
                          stdout=subprocess.PIPE).stdout


@test
def a_seed_gives_the_same_faults_again_and_another_gives_others(case):
    schedule = listed("--seed", "5")
    assert schedule == listed("--seed", "5")
    assert schedule.splitlines()[1:] != listed("--seed", "6").splitlines()[1:]


class Parted(One):
    """The second instance that asks for the address is given one of a Redis that nobody else knows."""

    def __init__(self, world):
        super().__init__(world)
        self.elsewhere = Server(world, "elsewhere")
        self.servers.append(self.elsewhere)
        self.asked = 0

    def url(self, user):
        self.asked += 1
        return super().url(user).replace(str(self.port), str(self.elsewhere.port if self.asked == 2 else self.port))


async def quiet_point(topology):
    world = World(topology, 1, 1, print)
    try:
        await world.start()
        heal_s, _ = await world.round(Round([Item("clients-come-again", 0.0, 1, 1)], 1.0))
        return heal_s, world.oracle.take_problems()
    finally:
        await world.close()
        world.forget()


@test
def an_instance_that_does_not_hear_the_others_is_found(case):
    heal_s, problems = asyncio.run(quiet_point(Parted))
    assert heal_s is None
    for part in ("of instance 1 shows", "instance 1 is ready, but"):
        assert any(part in problem for problem in problems), problems


def listener(topic):
    instance = types.SimpleNamespace(name="instance", lives=1, killed=0, leaving=False)
    return types.SimpleNamespace(name="client", instance=instance, life=1, brought={topic: (2, 7)}, dropped=False,
                                 end=None)


@test
def a_connection_that_goes_back_or_ends_without_a_reason_is_found(case):
    oracle = Oracle(types.SimpleNamespace(say=print), 1)
    topic = Topic("board/b1")
    client = listener(topic)
    oracle.delivered(client, topic, (2, 8))
    assert oracle.take_problems() == []
    for state in ((2, 6), (1, 9)):
        oracle.delivered(client, topic, state)
        assert "goes back" in oracle.take_problems()[0]
    parser = types.SimpleNamespace(status=200, snapshots=3)
    oracle.ended(client, parser)
    assert "without a word" in oracle.take_problems()[0]
    client.end = {"code": "going-away", "retry_ms": 1000}
    oracle.ended(client, parser)
    assert "has ended its stream" in oracle.take_problems()[0], "nobody has told the instance to leave"
    client.instance.leaving = True
    oracle.ended(client, parser)
    assert oracle.take_problems() == []


if __name__ == "__main__":
    main()
