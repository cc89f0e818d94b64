"""test/chaos/run, after the build: reads the options, and runs one topology after the other."""
import argparse
import asyncio
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

import schedule
from faults import KINDS
from cluster import Cluster
from one import One
from sentinel import Guarded
from report import Report
from world import World

TOPOLOGIES = {topology.name: topology for topology in (One, Guarded, Cluster)}
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def duration(text):
    found = re.fullmatch(r"(\d+)([smh]?)", text)
    if not found:
        raise argparse.ArgumentTypeError("a time such as 60s, 10m or 2h expected")
    return int(found.group(1)) * UNITS[found.group(2)]


def read_options():
    parser = argparse.ArgumentParser(prog="test/chaos/run", description="Faults by seed; see test/README.md.")
    parser.add_argument("--seed", type=int, help="of the schedule; a new one if not given, and it is said")
    parser.add_argument("--for", dest="seconds", type=duration, default=60, help="of each topology: 60s, 10m, 2h")
    parser.add_argument("--topology", choices=sorted(TOPOLOGIES), help="all of them if not given")
    parser.add_argument("--only", metavar="KIND[,KIND...]", help="kinds of faults; all of the topology if not given")
    parser.add_argument("--patience", type=float, default=1, metavar="N",
                        help="allow N times the stated times, on a machine that has other work")
    parser.add_argument("--list", action="store_true", help="print the first 20 rounds and leave")
    return parser.parse_args()


def kinds_for(topology, only):
    names = [kind.name for kind in KINDS.values() if topology in kind.topologies]
    wrong = [name for name in only or [] if name not in names]
    if wrong:
        sys.exit("test/chaos/run: no fault %s in topology %s; there are: %s" % (wrong[0], topology, ", ".join(names)))
    return only or names


class Clock:
    """Lines with the time since the beginning."""

    def __init__(self):
        self.began = time.monotonic()

    def seconds(self):
        return time.monotonic() - self.began

    def say(self, text):
        print("%7.2f  %s" % (self.seconds(), text), flush=True)


async def run(topology, options, seed, kinds):
    clock = Clock()
    world = World(topology, seed, options.patience, clock.say)
    report = Report(topology.name)
    try:
        await world.start()
        begun_at = clock.seconds()
        for number, its in enumerate(schedule.rounds(seed, kinds), 1):
            if clock.seconds() - begun_at > options.seconds:
                break
            clock.say("round %d: %s" % (number, schedule.text(its)))
            heal_s, done = await world.round(its)
            problems = world.oracle.take_problems()
            report.add(done, heal_s, problems)
            clock.say("   %s, healed after %s" % ("FAILED" if problems else "survived",
                                                  "-" if heal_s is None else "%.3f s" % heal_s))
    finally:
        report.check("end", await world.close())
    report.check_median(options.patience)
    print("\n".join(report.lines(world.oracle)), flush=True)
    if report.failed:
        print("The logs are in %s; again with --seed %d --topology %s" % (world.folder, seed, topology.name))
    else:
        world.forget()
    return report


def main():
    options = read_options()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    chosen = [TOPOLOGIES[options.topology]] if options.topology else TOPOLOGIES.values()
    passed = failed = 0
    for topology in chosen:
        kinds = kinds_for(topology.name, options.only and options.only.split(","))
        print("topology %s, seed %d" % (topology.name, seed), flush=True)
        if options.list:
            print("\n".join(schedule.text(its) for its in schedule.first(seed, kinds, 20)))
            continue
        report = asyncio.run(run(topology, options, seed, kinds))
        passed, failed = passed + report.passed, failed + report.failed
    if options.list:
        return 0
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
