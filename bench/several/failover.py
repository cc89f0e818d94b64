"""What streams see while masters are replaced and slots move: python3 failover.py --help

Exit status 1: something was later than it may be, or stale, or closed.
"""
import argparse
import select
import sys
import threading
import time

from place import Place, raise_descriptors  # first: it knows where the others are
from boards import FRESH_S, Boards
from cluster import Cluster
from rows import Row, print_table, write_json
from sentinel import GROUP, Guarded
from slots import slot_of, tag_of
from wire import RedisClient

AIM_S = 1.0        # after the election, until all streams are fresh
ELECTION_S = 30    # that one is waited for
WARM_S = 2.0
RATE = 500         # publishes a second
RATE_WITHOUT = 1000  # while there is no master
INSTANCES = 2
SLOTS_MOVED = 1000
SLOTS_AT_ONCE = 50
MOVE_EVERY_S = 0.2
LOOK_EVERY_S = 0.001  # at the role of a replica


class Election:
    """When there is a new master: `at`, None before. It is waited for in a thread, so that it is not seen late while
    streams are read; in `at` is the time to count from."""

    def __init__(self, wait):
        self.at = None
        self.thread = threading.Thread(target=self.run, args=(wait,), daemon=True)
        self.thread.start()

    def run(self, wait):
        wait()
        self.at = time.monotonic()

    def is_over(self):
        return self.at is not None


def switch_of(topology, _):
    """Returns what waits until the first sentinel says +switch-master."""
    poll, clients = select.epoll(), {}
    for sentinel in topology.sentinels:
        client = RedisClient(sentinel.port)
        client.command("SUBSCRIBE", "+switch-master")
        poll.register(client.socket, select.EPOLLIN)
        clients[client.socket.fileno()] = client

    def wait():
        while not any(clients[number].reply()[2].startswith(GROUP.encode()) for number, _ in poll.poll()):
            pass
    return wait


def promotion_of(topology, master):
    """Returns what waits until the replica of this master is one."""
    client = topology.replica_of(master).client()

    def wait():
        while client.command("ROLE")[0] != b"master":
            time.sleep(LOOK_EVERY_S)
    return wait


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else None


def measure(topology, options, play):
    """play(place, boards, aim_s) answers rows; those on what must never be follow."""
    with Place(topology) as place:
        place.start_instances(INSTANCES)
        boards = Boards(place, range(options.topics))
        try:
            boards.open(options.streams)
            boards.run(RATE, lambda: False, WARM_S)
            boards.need_fresh()
            boards.delays.clear()
            published = boards.publisher.count
            rows = play(place, boards, AIM_S * options.slack)
            never = [("streams that are stale", boards.stale()), ("streams that were closed", boards.streams.closed()),
                     ("states that went back in time", boards.backwards)]
            lost = boards.publisher.count - boards.publisher.finish()
        finally:
            boards.close()
        rows += [Row(name, "7.4", value, 0, 0, "") for name, value in never]
        return rows + [Row("publishes meanwhile", "-", boards.publisher.count - published, None, None, ""),
                       Row("of all, those that were not accepted in the end", "3.5", lost, 0, 0, "")]


def lose_master(wait_of):
    """What is played when a master dies; boards change until there is a new one, and not any more from then on."""
    def play(place, boards, aim_s):
        master = place.topology.masters()[0]
        election = Election(wait_of(place.topology, master))
        loads = place.count("freshet_loads_total")
        killed_at = time.monotonic()
        master.kill()
        if not boards.run(RATE_WITHOUT, election.is_over, ELECTION_S):
            raise RuntimeError("there is no new master")
        boards.streams.until(boards.all_fresh, FRESH_S)
        fresh_s = (stream.last_at - election.at if boards.is_fresh(stream) else FRESH_S
                   for stream in boards.streams.all)
        late = [seconds for seconds in fresh_s if seconds > 0]
        return [Row("killed until there was a new master", "-", election.at - killed_at, None, None),
                Row("streams that were stale then", "-", len(late), 1, None, ""),
                Row("they are fresh after the election, median", "7.4", percentile(late, 50), None, aim_s),
                Row("they are fresh after the election, 99 %", "7.4", percentile(late, 99), None, aim_s),
                Row("they are fresh after the election, the last", "7.4", max(late, default=None), None, aim_s),
                Row("loads", "-", place.count("freshet_loads_total") - loads, None, None, "")]
    return play


def move_slots(topology, slots, source, target):
    for at in range(0, len(slots), SLOTS_AT_ONCE):
        topology.moves.move(slots[at:at + SLOTS_AT_ONCE], source, target)
        time.sleep(MOVE_EVERY_S)  # it is a pace, and nothing is waited for


def migrate(place, boards, aim_s):
    topology = place.topology
    source, target = topology.masters()[:2]
    first = next(first for first, _, port in topology.view() if port == source.door_port)
    slots = range(first, first + SLOTS_MOVED)
    topics = sum(slot_of(tag_of("board/%d" % number)) in slots for number in boards.numbers)
    mover = threading.Thread(target=move_slots, args=(topology, slots, source, target))
    began = time.monotonic()
    mover.start()
    boards.run(RATE, lambda: not mover.is_alive(), ELECTION_S)
    mover.join()
    moved_at = time.monotonic()
    boards.streams.until(boards.all_fresh, FRESH_S)
    arrived = sum(first <= slot <= last for first, last, port in topology.view() if port == target.door_port
                  for slot in slots)
    return [Row("slots that have moved", "7.9", arrived, SLOTS_MOVED, SLOTS_MOVED, ""),
            Row("boards in them", "-", topics, 1, None, ""),
            Row("time it took", "-", moved_at - began, None, None),
            Row("change until a stream shows it, median", "7.9", percentile(boards.delays, 50), None, aim_s),
            Row("change until a stream shows it, 99 %", "7.9", percentile(boards.delays, 99), None, aim_s),
            Row("change until a stream shows it, the longest", "7.9", max(boards.delays, default=None), None, aim_s),
            Row("last change until all are fresh", "7.9", max(0.0, time.monotonic() - moved_at), None, aim_s)]


MEASURED = [("sentinel", "a sentinel's master is killed", Guarded, lose_master(switch_of)),
            ("cluster", "a master of a cluster is killed", Cluster, lose_master(promotion_of)),
            ("slots", "%d slots of a cluster move" % SLOTS_MOVED, Cluster, migrate)]


def read_arguments():
    parser = argparse.ArgumentParser(description="Measures streams while masters are replaced and slots move.")
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--topics", type=int, default=1000)
    parser.add_argument("--slack", type=float, default=1, help="times may be so many times as long; default 1")
    parser.add_argument("--only", choices=[name for name, *_ in MEASURED])
    parser.add_argument("--json", required=True, help="the values; each has a file, its name before .json")
    return parser.parse_args()


def main():
    options = read_arguments()
    raise_descriptors()
    held = True
    for name, title, topology, play in MEASURED:
        if options.only not in (None, name):
            continue
        title = "%s: %d streams on %d topics, %d instances" % (title, options.streams, options.topics, INSTANCES)
        began = time.monotonic()
        rows = measure(topology, options, play)
        print(title)
        print_table(rows)
        print(flush=True)
        write_json(options.json.removesuffix(".json") + "-" + name + ".json", rows, title, time.monotonic() - began)
        held = held and all(row.held for row in rows)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
