"""What the nodes of a cluster have to do for a publish, sharded and plain, and for many topics: python3 cost.py --help

Exit status 1: it was more than it may be.
"""
import argparse
import re
import sys
import time

from place import INSTANCES, Place, single_url  # first: it knows where the others are
from boards import Boards
from cluster import Cluster
from rows import Row, print_table, write_json
from slots import PARTITIONS, slot_of, tag_of
from support import until

HEARERS = 2         # instances, each with one stream on each board
BOARDS = 100        # of which those of one master are published
RATE = 1000         # publishes a second
ELSEWHERE = 0.02    # of the publishes, that other masters may see: probes of the instances and of the publisher
TOPICS_A_COMMAND = 10  # at least, beside one command for each partition
AWAY_S = 2.0
AIM_S = 1.0         # after it is back, until all is subscribed
SUBSCRIBED_S = 6    # stated to until(), which waits ten times that


# ---- what a node has done ----

def info(node):
    """INFO, and counters of CLUSTER INFO, as numbers by name."""
    lines = node.command("INFO", "everything").decode() + node.command("CLUSTER", "INFO").decode()
    found = {}
    for name, value in re.findall(r"^([a-z_|]+):([^\r\n]*)", lines, re.M):
        calls = re.match(r"calls=(\d+)", value)
        if calls or re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
            found[name] = float(calls[1] if calls else value)
    return found


COLUMNS = [("SPUBLISH", lambda more: more("cmdstat_spublish")),
           ("PUBLISH", lambda more: more("cmdstat_publish")),
           ("from other nodes", lambda more: more("cluster_stats_messages_publish_received") +
            more("cluster_stats_messages_publishshard_received")),
           ("KiB in", lambda more: more("total_net_input_bytes") / 1024),
           ("KiB out", lambda more: more("total_net_output_bytes") / 1024),
           ("CPU ms", lambda more: 1000 * (more("used_cpu_user") + more("used_cpu_sys")))]


class Work:
    """What each node does between two looks at it."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.before = [info(node) for node in nodes]

    def done(self):
        """For each node its columns."""
        after = [info(node) for node in self.nodes]
        return [[column(lambda name, a=a, b=b: b.get(name, 0) - a.get(name, 0)) for _, column in COLUMNS]
                for a, b in zip(self.before, after)]

    def sum(self, name):
        """Of a counter, over all nodes."""
        return sum(info(node).get(name, 0) - before.get(name, 0) for node, before in zip(self.nodes, self.before))


def print_work(title, nodes, owner, work):
    print(title)
    print("".join(f"{name:>18}" for name in ("node", *(name for name, _ in COLUMNS))))
    for node, columns in zip(nodes, work):
        name = node.role().replace("slave", "replica") + ("*" if node is owner else "")
        print(f"{name:>18}" + "".join(f"{value:18.0f}" for value in columns))


# ---- a publish ----

def publish(place, numbers, count, url=None, publisher_url=None):
    """Boards that two instances look at are published so often. Returns what each node did, and how often it was."""
    place.start_instances(HEARERS, url)
    boards = Boards(place, numbers, publisher_url)
    try:
        boards.open(HEARERS * len(boards.numbers))
        boards.run(RATE, lambda: False, 1)
        boards.need_fresh()
        work, begun = Work(place.topology.servers), boards.publisher.count
        boards.run(RATE, lambda: boards.publisher.count - begun >= count, 60)
        boards.need_fresh()
        until(lambda: boards.publisher.accepted() == boards.publisher.count, what="all publishes are answered")
        return work.done(), boards.publisher.count - begun
    finally:
        boards.close()
        place.stop_instances()


def measure_publish(place, count):
    nodes = place.topology.servers
    owner = place.topology.masters()[0]
    numbers = [number for number in range(BOARDS)
               if place.topology.owner(slot_of(tag_of("board/%d" % number))) is owner]
    sharded, sent = publish(place, numbers, count)
    print_work("%d publishes to %d topics of one master (*), through redis+cluster://; two instances listen" %
               (sent, len(numbers)), nodes, owner, sharded)
    plain, plain_sent = publish(place, numbers, count, single_url(owner, INSTANCES), single_url(owner))
    print_work("%d as plain PUBLISH, through redis:// to that node" % plain_sent, nodes, owner, plain)
    at, cpu = nodes.index(owner), len(COLUMNS) - 1
    others = [i for i, node in enumerate(nodes) if node is not owner and node.role() == "master"]
    # Of two publishes that wait for the same topic one is sent, so there may be fewer.
    return [Row("sharded: SPUBLISH at the owner", "7.9", sharded[at][0], 1, None, ""),
            Row("sharded: SPUBLISH at other masters, with probes", "7.9", sum(sharded[i][0] for i in others), None,
                sent * ELSEWHERE, ""),
            Row("sharded: nodes that heard of them", "7.9", heard_by(sharded), 2, 2, ""),
            Row("plain: nodes that heard of them", "-", heard_by(plain), None, None, ""),
            Row("sharded: CPU of all nodes", "-", sum(columns[cpu] for columns in sharded), None, None, "ms"),
            Row("plain: CPU of all nodes", "-", sum(columns[cpu] for columns in plain), None, None, "ms")]


def heard_by(work):
    """How many nodes had the publishes, from a client or from another node, and not only probes."""
    heard = [sum(columns[:3]) for columns in work]
    return sum(count > max(heard) / 2 for count in heard)


# ---- many topics ----

class Topics:
    """freshet-topics, and what it says."""

    def __init__(self, place, count):
        self.path = place.log("topics.said")
        with open(self.path, "wb") as said:
            self.child = place.program("freshet-topics", place.url(), str(count), stdout=said)

    def said(self):
        """(word, seconds, KiB) of each line."""
        with open(self.path, encoding="ascii") as lines:
            whole = [line.split() for line in lines if line.endswith("\n")]
        return [(word, float(at), int(kib)) for word, at, kib in whole]

    def wait(self, words, what):
        """Until it has said these; the last of them."""
        return until(lambda: len(self.said()) >= words and self.said()[words - 1], SUBSCRIBED_S, what)


def memory(nodes):
    return sum(info(node)["used_memory"] for node in nodes) / 2 ** 20


def measure_topics(place, count, slack):
    nodes = place.topology.servers
    work, memory_before = Work(nodes), memory(nodes)
    topics = Topics(place, count)
    _, whole_at, whole_kib = topics.wait(2, "all topics are subscribed")
    _, begun_at, begun_kib = topics.said()[0]
    limit = PARTITIONS + count / TOPICS_A_COMMAND
    rows = [Row("%d topics subscribed" % count, "7.9", whole_at - begun_at, None, None),
            Row("SSUBSCRIBE commands for that", "7.9", work.sum("cmdstat_ssubscribe"), 1, limit, ""),
            Row("memory of the program for them", "-", (whole_kib - begun_kib) / 1024, None, None, "MiB"),
            Row("memory of all nodes for them", "-", memory(nodes) - memory_before, None, None, "MiB")]
    return rows + come_back(place, topics, limit, slack)


def come_back(place, topics, limit, slack):
    """A master is away, and no replica takes its place."""
    nodes = place.topology.servers
    for node in nodes:
        node.command("CONFIG", "SET", "cluster-replica-no-failover", "yes")
    master = place.topology.masters()[0]
    rest = [node for node in nodes if node is not master]
    master.kill()
    topics.wait(3, "topics are not in force")
    time.sleep(AWAY_S)  # it is how long it is away, and nothing is waited for
    work = Work(rest)
    master.start()
    back_at = time.monotonic()
    (_, _, begun_kib), (_, whole_at, whole_kib) = topics.said()[0], topics.wait(4, "all topics are subscribed again")
    return [Row("a master is back after %g s: all subscribed again" % AWAY_S, "7.4", whole_at - back_at, None,
                AIM_S * slack),
            Row("SSUBSCRIBE commands to it", "7.9", info(master)["cmdstat_ssubscribe"], 1, limit, ""),
            Row("SSUBSCRIBE commands to all others then", "7.9", work.sum("cmdstat_ssubscribe"), None, limit, ""),
            Row("memory of the program for them then", "-", (whole_kib - begun_kib) / 1024, None, None, "MiB")]


# ----

def read_arguments():
    parser = argparse.ArgumentParser(description="Measures the work of the nodes of a cluster.")
    parser.add_argument("--publishes", type=int, default=5000)
    parser.add_argument("--topics", type=int, default=50000)
    parser.add_argument("--slack", type=float, default=1, help="times may be so many times as long; default 1")
    parser.add_argument("--json", required=True, help="the values, for programs")
    return parser.parse_args()


def main():
    options = read_arguments()
    title, began = "a cluster of three masters and three replicas", time.monotonic()
    with Place(Cluster) as place:
        rows = measure_publish(place, options.publishes)
        rows += measure_topics(place, options.topics, options.slack)
    print_table(rows)
    write_json(options.json, rows, title, time.monotonic() - began)
    return 0 if all(row.held for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
