"""Boards that change, and clients of instances that look at them: who shows what, since when, and how late it was.

The title of a board's only task counts its changes. A change is written into the store, then published by a program in
C that uses the library.
"""
import os
import time

from streams import Stream, Streams
from support import deadline

MARK = '"title":"s'
STEP_S = 0.002  # between two looks at what is due
FRESH_S = 10    # that something late is waited for, to be told from what never comes


class Look(Stream):
    """A client of one board."""

    def __init__(self, boards, port, number):
        self.boards, self.number = boards, number
        self.last, self.last_at = -1, 0.0
        super().__init__(port, "/live/board/%d" % number)

    def take_event(self, event):
        super().take_event(event)
        if event.name == "":
            self.boards.shown(self, int(event.data.partition(MARK)[2].partition('"')[0]), self.now)


class Publisher:
    """publisher.c of test/chaos: a line for each publish, and one back when the bus has it."""

    def __init__(self, place, url):
        self.answers = os.path.join(place.folder, "answers")
        with open(self.answers, "wb") as answers:
            self.child = place.program("freshet-publisher", url, stdout=answers)
        self.count = 0

    def publish(self, numbers):
        lines = b"".join(b"%d %d\n" % (self.count + i, number) for i, number in enumerate(numbers))
        self.count += len(numbers)
        self.child.stdin.write(lines)
        self.child.stdin.flush()

    def finish(self):
        """It leaves; how many were accepted."""
        self.child.stdin.close()
        self.child.wait(deadline(1))
        return self.accepted()

    def accepted(self):
        with open(self.answers, "rb") as answers:
            return sum(line.endswith(b" accepted\n") for line in answers)


class Boards:
    def __init__(self, place, numbers, url=None):
        """`numbers`: what they are called by. `url`: where it is published, if not as the instances do."""
        self.place, self.numbers = place, list(numbers)
        self.store = place.store.client()
        self.publisher = Publisher(place, url or place.url())
        self.streams = Streams()
        self.written = {number: [] for number in self.numbers}  # of each board: when each of its states was
        self.delays = []
        self.backwards = 0
        self.turn = 0
        self.write(self.numbers)

    def close(self):
        self.publisher.child.kill()
        self.streams.__exit__()
        self.store.close()

    def write(self, numbers):
        now, commands = time.monotonic(), []
        for number in numbers:
            commands.append(("HSET", "freshet:board/%d" % number, "1:title", "s%d" % len(self.written[number]),
                             "1:column", "todo", "next", 1))
            self.written[number].append(now)
        self.store.pipeline(*commands)

    def change(self, count):
        """The next boards in turn."""
        numbers = [self.numbers[(self.turn + i) % len(self.numbers)] for i in range(count)]
        self.turn += count
        self.write(numbers)
        self.publisher.publish(numbers)

    def open(self, count):
        """So many streams, over the boards and over the instances in turn."""
        ports = [instance.port for instance in self.place.instances]
        for i in range(count):
            turn, place = divmod(i, len(self.numbers))
            self.streams.add(Look(self, ports[turn % len(ports)], self.numbers[place]))
            if i % 100 == 99:
                self.streams.until(lambda: False, 0)
        self.need_fresh()
        self.delays.clear()

    def need_fresh(self):
        self.streams.need(self.all_fresh, FRESH_S, "all streams show the newest state")

    # ---- what is shown ----

    def shown(self, stream, number, now):
        if number < stream.last:
            self.backwards += 1
        elif number > stream.last:
            # The first state that it did not show yet is what it was late with.
            self.delays.append(now - self.written[stream.number][stream.last + 1])
            stream.last, stream.last_at = number, now

    def is_fresh(self, stream):
        return stream.last == len(self.written[stream.number]) - 1

    def all_fresh(self):
        return all(map(self.is_fresh, self.streams.all))

    def stale(self):
        return sum(not self.is_fresh(stream) for stream in self.streams.all)

    def run(self, rate, is_over, limit_s):
        """Changes at this rate, until is_over() or for so long; whether it is over."""
        began, sent = time.monotonic(), 0
        while not is_over():
            passed_s = time.monotonic() - began
            if passed_s > limit_s:
                return False
            due = int(passed_s * rate) - sent
            if due > 0:
                self.change(due)
                sent += due
            self.streams.until(lambda: False, STEP_S)
        return True
