"""The table of the scenario state-size, as Markdown: python3 state_size_table.py FOLDER SERVER

Reads FOLDER/*-state-size-BYTES-STREAMS-FORM.json: those of SERVER, and of what was measured beside it in the same run.
"""

import glob
import json
import os
import re
import sys

HEAD = ("board", "streams", "server, form", "bytes a delivery", "of content", "CPU a delivery", "times bare", "p99",
        "memory of an idle stream", "skipped", "CPU of the client")


def read(folder, servers):
    """{(bytes, streams): {(server, form): metrics}}"""
    found = {}
    for server in servers:
        for path in glob.glob(os.path.join(folder, f"{server}-state-size-*.json")):
            size, streams, form = re.fullmatch(r".*-state-size-(\d+)-(\d+)-(\w+)\.json", path).groups()
            with open(path, encoding="utf-8") as file:
                metrics = json.load(file)["metrics"]
            found.setdefault((int(size), int(streams)), {})[server, form] = metrics
    return found


def show(value, form):
    return "-" if value is None else form % value


def row_of(size, streams, server, form, metrics, bare):
    cpu, floor = metrics.get("cpu-per-delivery_ns"), (bare or {}).get("cpu-per-delivery_ns")
    p99 = metrics.get("p99_ns")
    return (
        f"{size:,}", f"{streams:,}", f"{server}, {form}",
        show(metrics.get("bytes-per-delivery_bytes"), "%.0f"), show(metrics.get("content-per-delivery_bytes"), "%.0f"),
        show(cpu and cpu / 1e3, "%.2f us"), show(cpu and floor and cpu / floor, "%.2f"),
        show(p99 and p99 / 1e6, "%.2f ms"),
        # Memory grows by pages: over a few streams they say nothing about one.
        show(metrics.get("private-per-stream_bytes") if streams >= 2000 else None, "%.0f"),
        show(metrics.get("skipped"), "%d"), show(metrics.get("client-cpu_percent"), "%.0f %%"))


def ratio(top, bottom, name):
    top, bottom = (top or {}).get(name), (bottom or {}).get(name)
    return top / bottom if top and bottom else None


def print_comparisons(found, server):
    """What rows of the table say beside each other: the aims are for these."""
    for (size, streams), measured in found.items():
        plain, gzip = measured.get((server, "plain")), measured.get((server, "gzip"))
        nginx, where = measured.get(("nchan", "gzip")), f"{size:,} bytes, {streams:,} streams"
        if server != "nchan" and gzip and nginx:
            print(f"- {where}: CPU a delivery in gzip is {ratio(gzip, nginx, 'cpu-per-delivery_ns'):.2f} of nginx's")
        if streams >= 2000 and plain and gzip:
            over = gzip["private-per-stream_bytes"] - plain["private-per-stream_bytes"]
            print(f"- {where}: an idle stream in gzip takes {over:+.0f} bytes over a plain one")
            print(f"- {where}: p99 in gzip is {show(ratio(gzip, plain, 'p99_ns'), '%.2f')} of the plain one's")


def order_of(item):
    (name, form), _ = item
    return {"bare": 0, "nchan": 2}.get(name, 1), ("plain", "gzip", "differences").index(form)


def main():
    folder, server = sys.argv[1:]
    # What ran beside it; what another server left there was measured at another time.
    found = read(folder, (server, "bare", "nchan") if server == "freshet" else (server,))
    found = dict(sorted(found.items(), key=lambda item: (item[0][1] >= 10000, item[0])))
    print("\n| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    for (size, streams), measured in found.items():
        for (name, form), metrics in sorted(measured.items(), key=order_of):
            print("| " + " | ".join(row_of(size, streams, name, form, metrics, measured.get(("bare", "plain")))) + " |")
    print()
    print_comparisons(found, server)


main()
