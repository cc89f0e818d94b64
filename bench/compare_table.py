"""The table of bench/compare, as Markdown: python3 compare_table.py FOLDER SERVER...

Reads FOLDER/round-*/SERVER-MEASUREMENT.json. A cell is the median over the rounds, and behind it how many times the
first server's it is. The first server is freshet, unless it was left out.
"""

import glob
import json
import os
import statistics
import sys

UNITS = {"ns": (("s", 1e9), ("ms", 1e6), ("us", 1e3), ("ns", 1)), "bytes": (("MiB", 1048576), ("KiB", 1024), ("B", 1))}


def ratio_of(top, bottom):
    """None if it says nothing: growth of memory can be negative."""
    return None if not top or not bottom or top < 0 or bottom < 0 else top / bottom


def connect_rate(metrics):
    """Streams that were opened, a second."""
    return ratio_of(metrics.get("streams"), metrics.get("ready_ns", 0) / 1e9)


# Title, what it takes from the metrics, unit, whether it gets a ratio.
COLUMNS = (
    ("deliveries a second", lambda m: m.get("delivery-rate_per_s"), "", True),
    ("CPU a delivery", lambda m: m.get("cpu-per-delivery_ns"), "ns", True),
    ("p50", lambda m: m.get("p50_ns"), "ns", True),
    ("p99", lambda m: m.get("p99_ns"), "ns", True),
    ("max", lambda m: m.get("latency_ns"), "ns", True),
    ("RSS a stream", lambda m: m.get("rss-per-stream_bytes"), "bytes", True),
    ("PSS a stream", lambda m: m.get("pss-per-stream_bytes"), "bytes", True),
    ("memory while publishing", lambda m: m.get("rss-growth_bytes"), "bytes", False),
    ("streams opened a second", connect_rate, "", True),
    ("back after loss, max", lambda m: m.get("reconnect_ns"), "ns", True),
    ("recovered, max", lambda m: m.get("recovery_ns"), "ns", True),
    ("bytes a delivery", lambda m: m.get("bytes-per-delivery_bytes"), "", False),
    ("behind", lambda m: m.get("behind"), "", False),
    ("skipped", lambda m: m.get("skipped"), "", False),
    ("out of order", lambda m: m.get("disorder"), "", False),
    ("ended by the server", lambda m: m.get("ended"), "", False),
    ("publishes failed", lambda m: m.get("publish-failed"), "", False),
    ("unsent or unanswered", lambda m: m.get("publish-unsent", 0) + m.get("publish-unanswered", 0), "", False),
    ("CPU of the client, %", lambda m: m.get("client-cpu_percent"), "", False),
)


def format_value(value, unit):
    for name, size in UNITS.get(unit, ()):
        if abs(value) >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def read_results(folder, servers):
    """{measurement: {server: [result of each round]}}, measurements in order of their files' names."""
    results = {}
    for path in sorted(glob.glob(os.path.join(folder, "round-*", "*.json"))):
        name = os.path.basename(path)[: -len(".json")]
        server = next((server for server in servers if name.startswith(server + "-")), None)
        if server is None:
            continue
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
        results.setdefault(name[len(server) + 1 :], {}).setdefault(server, []).append(result)
    return results


def median_of(rounds, read):
    values = [value for value in (read(result["metrics"]) for result in rounds) if value is not None]
    return statistics.median(values) if values else None


def print_measurement(name, by_server, servers):
    some = next(iter(by_server.values()))[0]
    rows = {
        server: [median_of(by_server.get(server, []), read) for _, read, _, _ in COLUMNS] for server in servers
    }
    shown = [
        i for i, (_, _, unit, _) in enumerate(COLUMNS) if any(row[i] or (row[i] == 0 and unit) for row in rows.values())
    ]
    print(f"### {name}: {some['title'].split(': ', 1)[-1]}\n")
    print("| server | rounds | limits | " + " | ".join(COLUMNS[i][0] for i in shown) + " |")
    print("|---" * (len(shown) + 3) + "|")
    for server in servers:
        rounds = by_server.get(server, [])
        cells = [server, str(len(rounds)), "-"]
        if rounds:
            cells[2] = f"{sum(result['holds'] for result in rounds)} of {len(rounds)} held"
        for i in shown:
            value, base = rows[server][i], rows[servers[0]][i]
            cell = "-" if value is None else format_value(value, COLUMNS[i][2])
            ratio = ratio_of(value, base) if COLUMNS[i][3] and server != servers[0] else None
            cells.append(cell if ratio is None else f"{cell} ({ratio:.2f})")
        print("| " + " | ".join(cells) + " |")
    print()


def main():
    folder, servers = sys.argv[1], sys.argv[2:]
    results = read_results(folder, sorted(servers, key=len, reverse=True))
    if not results:
        sys.exit(f"no results in {folder}/round-*/")
    if "freshet" in servers:
        servers.remove("freshet")
        servers.insert(0, "freshet")
    with open(os.path.join(folder, "versions.txt"), encoding="utf-8") as file:
        print("```\n" + file.read() + "```\n")
    print(f"Medians of the rounds; in brackets how many times {servers[0]}'s.\n")
    for name, by_server in results.items():
        print_measurement(name, by_server, servers)


main()
