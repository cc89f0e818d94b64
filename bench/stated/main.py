"""The times that the contract states, asked of two instances from outside: python3 main.py --help

A line for each: what, its point of the contract, what is stated, what was measured, and whether it held. Exit status 1:
something did not.
"""
import argparse
import concurrent.futures
import os
import sys
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(1, os.path.join(TOP, "bridge", "demo_lib"))  # for wire.py
from checks import Checks
from rows import Broken, print_table, write_json


def run(check):
    try:
        return check()
    except Exception as error:  # the other checks go on
        traceback.print_exc()
        return [Broken(check.__name__, str(error))]


def run_all(options):
    checks = Checks(options)
    rows = run(checks.connect) + run(checks.echo)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        # They look at A alone, so that B's counters are left to the others.
        slow = [] if options.quick else [pool.submit(run, check) for check in (checks.heartbeat, checks.stuck)]
        rows += run(checks.gone) + run(checks.flood)
        for future in slow:
            rows += future.result()
    return rows + run(checks.healing) + run(checks.drain)


def read_arguments():
    parser = argparse.ArgumentParser(description="Asserts the times that the contract states.")
    parser.add_argument("--quick", action="store_true", help="without those that take over 10 s")
    parser.add_argument("--slack", type=float, default=1, help="times may be so many times as long; default 1")
    parser.add_argument("--json", required=True, help="the values, for programs")
    parser.add_argument("--dir", required=True, help="that of bench/serve")
    parser.add_argument("--redis", required=True, type=int, help="the port of the Redis of the instances")
    parser.add_argument("urls", nargs=3, help="two instances, and one that is started by the command", metavar="URL")
    parser.add_argument("command", nargs="+", help="runs the third one in the foreground")
    return parser.parse_args()


def main():
    options = read_arguments()
    title = "freshet: the stated times"
    began = time.monotonic()
    rows = run_all(options)
    measured_s = time.monotonic() - began
    print(f"{title}, {measured_s:.0f} s")
    print_table(rows)
    if options.quick:
        print("left out for --quick: heartbeat, stuck clients, a longer time without Redis")
    write_json(options.json, rows, title, measured_s)
    return 0 if all(row.held for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
