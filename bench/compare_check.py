"""What bench/compare --check asks of results: python3 compare_check.py EXPECTED STATES|EVENTS FILE...

In each: EXPECTED deliveries answered, nobody behind, nothing out of order, no publish failed; with EVENTS nothing
skipped and nothing twice. With STATES a newer state may stand for an older one, and the same one be sent again.
"""

import json
import sys


def main():
    expected, kind, paths = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    zeros = ["behind", "disorder", "publish-failed", "failed-connects", "refused", "ended"]
    if kind == "EVENTS":
        zeros += ["skipped", "duplicates"]
    wrong = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            metrics = json.load(file)["metrics"]
        wanted = dict.fromkeys(zeros, 0) | {"answered": expected}
        for name, value in wanted.items():
            if metrics.get(name) != value:
                wrong.append(f"{path}: {name} is {metrics.get(name)}, not {value}")
    if wrong:
        print("\n".join(wrong))
    return 1 if wrong or not paths else 0


sys.exit(main())
