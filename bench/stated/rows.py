"""The limits as rows: what is stated, what was measured, whether it held; as a table and as JSON."""
import json


class Row:
    """One limit: low <= measured <= high. `measured` None: it did not happen while somebody waited."""

    def __init__(self, name, point, measured, low, high, unit="s"):
        """`low` and `high` None: nothing is stated, but it has to be there."""
        self.name, self.point, self.measured, self.low, self.high, self.unit = name, point, measured, low, high, unit

    @property
    def held(self):
        return (self.measured is not None and (self.low is None or self.measured >= self.low)
                and (self.high is None or self.measured <= self.high))

    def show(self, value):
        if value is None:
            return "never"
        if self.unit == "s":
            return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"
        return f"{round(value, 1):g}{' ' + self.unit if self.unit else ''}"

    @property
    def stated(self):
        if self.low is None and self.high is None:
            return "-"
        if self.low == self.high:
            return self.show(self.low)
        if self.low is None:
            return "<= " + self.show(self.high)
        if self.high is None:
            return ">= " + self.show(self.low)
        return f"{self.show(self.low)} to {self.show(self.high)}"

    def cells(self):
        return self.name, self.point, self.stated, self.show(self.measured), "held" if self.held else "BROKEN"


class Broken:
    """A check that could not be made."""

    held, low, high, measured, unit = False, None, None, None, ""

    def __init__(self, name, error):
        self.name, self.point, self.error = name, "-", error

    def cells(self):
        return self.name, self.point, "-", self.error, "BROKEN"


def print_table(rows):
    table = [("time", "contract", "stated", "measured", ""), *(row.cells() for row in rows)]
    widths = [max(len(cells[i]) for cells in table) for i in range(len(table[0]))]
    for name, point, stated, measured, held in table:
        line = (f"{name:<{widths[0]}}  {point:<{widths[1]}}  {stated:>{widths[2]}}  {measured:>{widths[3]}}  {held}")
        print(line.rstrip())


def write_json(path, rows, title, measured_s):
    """As those of freshet-bench."""
    def value(row, number):
        return round(number * 1e9) if number is not None and row.unit == "s" else number

    def key(row):
        return row.name.replace(" ", "-") + ("_ns" if row.unit == "s" else "")

    limits = [{"name": key(row), "contract": row.point, "min": value(row, row.low), "max": value(row, row.high),
               "held": row.held} for row in rows]
    result = {"title": title, "holds": all(row.held for row in rows), "measured_s": round(measured_s, 3),
              "metrics": {key(row): value(row, row.measured) for row in rows}, "limits": limits}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=2)
        file.write("\n")
