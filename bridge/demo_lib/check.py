"""The demo without a person: publishes on A, watches B, has Redis killed and started again in the middle."""
from programs import PREFIX
from watch import Publishes, Request, Stream, now_us, read_ready, request
from wire import RedisError

PUBLISHES = 100
ARRIVAL_LIMIT_MS = 1000  # of a single publish
HEAL_LIMIT_MS = 2000     # stated: every stream on the newest count within this of Redis being back
WAIT_S = 20              # then it is given up


class Failed(Exception):
    pass


def hold(condition, what):
    if not condition:
        raise Failed(what)


class Counted:
    """A stream of the counter on an instance: the newest count and when it came."""

    def __init__(self, instance):
        self.count, self.arrived_us = -1, 0
        self.stream = Stream(instance.port, "/live/counter", self.take)

    def take(self, event, at_us):
        if event.name == "":
            self.count, self.arrived_us = int(event.data), at_us


class Check:
    def __init__(self, programs):
        self.programs = programs
        self.on_a, self.on_b = (Counted(instance) for instance in programs.instances)
        self.publishes = None
        self.published_us = []  # of the counter, in order
        self.times_ms = []

    def until(self, condition, what, links=None):
        """Reads what comes, of these links or of all of them."""
        end_us = now_us() + WAIT_S * 1000000
        while not condition():
            hold(now_us() < end_us, what)
            links = links or [self.on_b.stream, self.on_a.stream, self.publishes]
            read_ready([link for link in links if link is not None and link.open], 50)

    def take_publish(self, topic, published_us):
        if topic == "counter":
            self.published_us.append(published_us)

    def listen_to_publishes(self):
        self.publishes = Publishes(self.programs.redis.port, self.take_publish)
        self.until(lambda: self.publishes.subscribed, "no subscription")

    def publish(self, times):
        """One after the other. Until it is on B this only sleeps: else it would take the processor from A and B."""
        for _ in range(times):
            seen, count = len(self.published_us), self.on_b.count
            increment = Request(self.programs.a.port, "POST", "/counter/increment", WAIT_S)
            self.until(lambda: self.on_b.count > count, "a publish did not arrive on B", [self.on_b.stream])
            answer = increment.answer()
            hold(answer.status == 200, "A did not store an increment")
            self.until(lambda: self.on_b.count >= answer.json["count"] and len(self.published_us) > seen,
                       "a publish did not arrive")
            self.times_ms.append((self.on_b.arrived_us - self.published_us[-1]) / 1000)

    def look_while_down(self):
        """Without Redis: a change is refused in time, not half done, and the streams stay."""
        answer = request(self.programs.a.port, "POST", "/counter/increment", WAIT_S)
        hold(answer.status == 503, "A did not answer 503 while Redis was down")
        hold(request(self.programs.b.port, "GET", "/health/live", 1).status == 200, "B is not alive while Redis is down")

    def heal(self):
        """Redis runs, but only on its Unix socket: the count changes there without a publish, as if that had been lost;
        then it listens on its port again. So both streams can only be right if they load again by themselves."""
        redis = self.programs.redis
        hold(redis.start(hidden=True), "Redis does not start again")
        count = redis.command("INCR", PREFIX + "counter")
        back_us = now_us()
        redis.command("CONFIG", "SET", "port", redis.port)
        self.until(lambda: self.on_a.count == self.on_b.count == count, "the streams did not heal")
        times_ms = [(counted.arrived_us - back_us) / 1000 for counted in (self.on_a, self.on_b)]
        print("healed: A %.0f ms, B %.0f ms after Redis was back (limit %d ms)" % (*times_ms, HEAL_LIMIT_MS))
        return max(times_ms)

    def report(self, healed_ms):
        truth = int(self.programs.redis.command("GET", PREFIX + "counter"))
        times_ms = sorted(self.times_ms)
        lost = sum(not counted.stream.open for counted in (self.on_a, self.on_b))
        print("publish on A to arrival on B: %d publishes, median %.2f ms, worst %.2f ms" %
              (len(times_ms), times_ms[len(times_ms) // 2], times_ms[-1]))
        print("streams lost: %d\nnewest count %d, B shows %d" % (lost, truth, self.on_b.count))
        hold(self.on_b.count == truth, "B is not on the newest count")
        hold(lost == 0, "a stream was lost")
        hold(times_ms[-1] <= ARRIVAL_LIMIT_MS, "a publish took over a second")
        hold(healed_ms <= HEAL_LIMIT_MS, "healing took over 2 seconds")

    def run(self):
        self.until(lambda: self.on_a.count >= 0 and self.on_b.count >= 0, "no first snapshot")
        self.listen_to_publishes()
        print("publishing on A, watching B ...")
        self.publish(PUBLISHES // 2)
        print("killing Redis ...")
        self.programs.redis.kill()
        self.look_while_down()
        print("starting Redis again ...")
        healed_ms = self.heal()
        self.listen_to_publishes()
        self.publish(PUBLISHES - len(self.times_ms))
        self.report(healed_ms)


def check(programs):
    good = True
    try:
        Check(programs).run()
    except (Failed, OSError, RedisError) as error:
        print("FAILED: %s" % error)
        good = False
    print("ok" if good else "not ok")
    for instance in programs.instances:
        if instance.leave() != 0:
            print("FAILED: an instance did not end with 0")
            good = False
    if not good:
        programs.show_logs()
    return good
