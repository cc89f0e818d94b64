"""The demo for a person: shows in the terminal each change with the time from its publish to its arrival, streams that
open and close, instances and Redis that go and come back. Takes orders from the keyboard and from the page."""
import os
import secrets
import sys
import threading
import time

from control import start_control
from programs import START_S
from watch import Publishes, Stream, now_us, read_ready, request

REOPEN_US = 300000
STATUS_S = 0.5
EARLY_MS = 100   # that a snapshot waits for its publish
LATE_MS = 2000   # that a publish waits for snapshots that may never come

ORDERS = "a, b, k, s, x, y or q"


def show(text):
    """One write for a line: threads take turns."""
    us = now_us()
    clock = time.strftime("%H:%M:%S", time.localtime(us // 1000000))
    sys.stdout.write("%s.%03d  %s\n" % (clock, us // 1000 % 1000, text))


def tell(text):
    sys.stdout.write("            %s\n" % text)


class Topic:
    """What is known of a topic's newest value, and of its newest publish until that has been shown."""

    def __init__(self, name, describe):
        self.name, self.describe = name, describe
        self.value = ""
        self.published_us = None
        self.arrived_us = {}  # by instance
        self.early_us = {}    # by instance: a snapshot whose publish is not known yet

    def take_publish(self, published_us):
        """The publisher's own instance loads at once: its snapshot may be here before the publish has come by Redis."""
        if self.published_us is not None:
            self.show_change()
        self.published_us = published_us
        self.arrived_us = {name: us for name, us in self.early_us.items() if us >= published_us}
        self.early_us = {}
        self.show_if_arrived()

    def take_snapshot(self, instance, data, at_us, first):
        """`first` of a connection: no change led to it."""
        self.value = self.describe(data)
        if self.published_us is not None and not first:
            self.arrived_us[instance] = at_us
        else:
            self.early_us[instance] = at_us
        self.show_if_arrived()

    def show_if_arrived(self):
        if self.published_us is not None and len(self.arrived_us) == 2:
            self.show_change()

    def show_change(self):
        text = "%-11s %-10s published" % (self.name, self.value)
        for name in ("A", "B"):
            us = self.arrived_us.get(name)
            text += "   on %s: -" % name if us is None else "   on %s after %.2f ms" % (
                name, (us - self.published_us) / 1000)
        self.published_us, self.arrived_us = None, {}
        show(text)

    def show_waiting(self):
        """Publishes that an instance does not show, and snapshots that no publish led to."""
        if self.published_us is not None and now_us() - self.published_us >= LATE_MS * 1000:
            self.show_change()
        for name, us in list(self.early_us.items()):
            if now_us() - us >= EARLY_MS * 1000:
                del self.early_us[name]
                show("%-11s %-10s loaded by %s" % (self.name, self.value, name))


def describe_count(data):
    return "= %.40s" % data


def describe_board(data):
    tasks = data.count('"column":')
    return "%d task%s" % (tasks, "" if tasks == 1 else "s")


class View:
    """A topic on an instance, and the stream that shows it, opened again when it has ended."""

    def __init__(self, instance, topic):
        self.instance, self.topic = instance, topic
        self.stream = None
        self.first = True

    def open(self):
        if self.stream is None or not self.stream.open:
            self.first = True
            self.stream = Stream(self.instance.port, "/live/" + self.topic.name, self.take)

    def take(self, event, at_us):
        if event.name == "":
            self.topic.take_snapshot(self.instance.name, event.data, at_us, self.first)
            self.first = False
        else:
            show("%-11s %s from %s: %.150s" % (self.topic.name, event.name, self.instance.name, event.data))


class Lines:
    """Orders: lines from a terminal or a pipe."""

    def __init__(self, number, take):
        self.number, self.take = number, take
        self.open = True

    def fileno(self):
        return self.number

    def read(self):
        try:
            text = os.read(self.number, 4096)
        except OSError:  # the terminal has gone
            text = b""
        self.open = bool(text)
        for order in text.decode(errors="replace").split():
            self.take(order)


def status_of(instance):
    try:
        answer = request(instance.port, "GET", "/health/ready", 1).json
    except OSError:
        answer = {}
    return "ready" if answer.get("ready") else "not ready", answer.get("bus", "no answer"), answer.get("streams", "?")


def watch_status(instances):
    """On a thread of its own: who does not answer holds up nothing else."""
    known = {}
    while True:
        for instance in instances:
            ready, bus, streams = status_of(instance)
            old = known.get(instance.name, (None, None, None))
            if old[:2] != (ready, bus):
                show("%s           %s, bus %s" % (instance.name, ready, bus))
            if old[2] != streams:
                show("%s           %s streams open" % (instance.name, streams))
            known[instance.name] = (ready, bus, streams)
        time.sleep(STATUS_S)


class Live:
    def __init__(self, programs, control):
        self.programs = programs
        self.token = secrets.token_hex(16)  # what the buttons of the page need to know; no instance is told
        orders_out, orders_in = os.pipe()
        start_control(control, programs, self.token, orders_in)
        self.orders = [Lines(0, self.take_order), Lines(orders_out, self.take_order)]
        topics = [Topic("counter", describe_count), Topic("board/demo", describe_board)]
        self.topics = {topic.name: topic for topic in topics}
        self.views = [View(instance, topic) for instance in programs.instances for topic in topics]
        self.publishes = None

    # ---- orders ----

    def take_order(self, order):
        """From the terminal and from the page alike. What is so already stays so."""
        redis, a, b = self.programs.redis, self.programs.a, self.programs.b
        if order in ("a", "b"):
            self.add_one(a if order == "a" else b)
        elif order in ("k", "x"):
            self.kill(redis if order == "k" else b, "Redis" if order == "k" else "B")
        elif order in ("s", "y"):
            self.start(redis if order == "s" else b, "Redis" if order == "s" else "B")
        elif order == "q":
            sys.exit(0)
        else:
            tell(ORDERS)

    def add_one(self, instance):
        try:
            status = request(instance.port, "POST", "/counter/increment", START_S).status
        except OSError:
            tell("%s does not answer" % instance.name)
            return
        if status != 200:
            tell("refused: status %d" % status)

    def kill(self, program, what):
        if program.runs:
            program.kill()
            tell("%s is killed" % what)

    def start(self, program, what):
        if not program.runs:
            tell("%s is back" % what if program.start() else "%s does not start again" % what)

    # ---- the loop ----

    def take_publish(self, name, published_us):
        if name in self.topics:
            self.topics[name].take_publish(published_us)

    def open_missing(self):
        for view in self.views:
            try:
                view.open()
            except OSError:
                pass
        try:
            if self.publishes is None or not self.publishes.open:
                self.publishes = Publishes(self.programs.redis.port, self.take_publish)
        except OSError:
            self.publishes = None

    def wait_and_read(self):
        """Publishes come first: each is known before what it leads to."""
        links = [self.publishes] + [view.stream for view in self.views] + self.orders
        read_ready([link for link in links if link is not None and link.open], EARLY_MS)
        if self.publishes is not None and not self.publishes.open:
            if self.publishes.subscribed:
                show("Redis       the connection is gone")
            self.publishes = None

    def run(self):
        print(GREETING % (self.programs.a.url, self.token, self.programs.b.url, self.token))
        threading.Thread(target=watch_status, args=[self.programs.instances], daemon=True).start()
        opened_us = 0
        while True:
            if now_us() - opened_us > REOPEN_US:
                opened_us = now_us()
                self.open_missing()
            self.wait_and_read()
            for topic in self.topics.values():
                topic.show_waiting()


GREETING = """
    A   %s/#demo=%s
    B   %s/#demo=%s

Open A in a browser: it shows both instances. Press the buttons, add and move tasks: the other follows.
Then stop Redis or B: nothing breaks, all keep what they show. Start it again: they heal by themselves.

    a, b   adds one on A or B     k, s   kills Redis, starts it again
    q      ends all, like ctrl-C  x, y   kills B, starts it again              (each with Enter)
"""
