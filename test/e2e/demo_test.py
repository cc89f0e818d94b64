"""bridge/demo as a person or a script runs it (issue 2)."""
import json
import os
import re
import signal
import subprocess

from support import TOP, deadline, main, request, test, until

DEMO = os.path.join(TOP, "bridge", "demo")


def start(case, **more):
    process = case.run([DEMO], **more)
    case.defer(stop, process)
    return process


def stop(process):
    """By itself, so that it ends what it started."""
    if process.running():
        process.signal(signal.SIGTERM)
    process.wait(5)


@test
def the_check_heals_and_ends_on_the_newest_count(_case):
    answer = subprocess.run([DEMO, "--check"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=deadline(30), check=False)
    print(answer.stdout[-3000:])
    assert answer.returncode == 0, "bridge/demo --check left with %d" % answer.returncode
    assert "median" in answer.stdout and "worst" in answer.stdout


@test
def the_demo_shows_two_urls_and_stops_all_of_it(case):
    process = start(case)
    urls = until(lambda: two(re.findall(r"http://127\.0\.0\.1:(\d+)", process.log())), 20, "two URLs")
    for port in urls:
        until(lambda: request(port, "GET", "/health/ready").status == 200, 3)
    assert request(urls[0], "POST", "/counter/increment").status == 200
    process.signal(signal.SIGINT)
    assert process.wait(5) == 130
    for port in urls:
        until(lambda: gone(port), what="port %d is closed" % port)


@test
def keys_do_what_they_say_and_changes_are_shown_with_their_times(case):
    keys, terminal = os.pipe()
    process = start(case, stdin=keys)
    os.close(keys)
    case.defer(os.close, terminal)

    def press(key, shown, count=1):
        os.write(terminal, key.encode() + b"\n")
        until(lambda: len(re.findall(shown, process.log(), re.M)) >= count, 5, "%s: %s" % (key, shown))

    clock, change = r"^\d\d:\d\d:\d\d\.\d{3}  ", r"published   on A after \d+\.\d\d ms   on B after \d+\.\d\d ms$"
    until(lambda: re.search(clock + "B +ready, bus proved$", process.log(), re.M), 20, "B is ready")
    press("a", clock + "counter     = 1        " + change)
    press("b", clock + "counter     = 2        " + change)
    press("x", "^ +B is killed$")
    press("x\na", clock + r"counter     = 3 .*on A after \d+\.\d\d ms   on B: -$")
    press("b", "^ +B does not answer$")
    press("y", "^ +B is back$")
    press("k", clock + "Redis       the connection is gone$")
    press("a", "^ +refused: status 503$")
    press("s\ns", "^ +Redis is back$")
    press("?", "^ +a, b, k, s, x, y or q$")
    until(lambda: re.search(clock + "A +not ready, bus (?!proved).*(\n.*)*" + clock + "A +ready, bus proved$", process.log(), re.M), 3)
    assert process.log().count("is killed") == 2 and process.log().count("is back") == 2, process.log()
    os.write(terminal, b"q\n")
    assert process.wait(5) == 0, process.log()


class Demo:
    """A running demo, and the requests that its page makes."""

    def __init__(self, case):
        self.process = start(case)
        ports, self.token = until(self.read, 20, "the demo shows its URLs")
        self.a, self.b = ports
        self.config = json.loads(request(self.a, "GET", "/demo/config").body)
        self.control = int(self.config["control"].rsplit(":", 1)[1])
        until(lambda: self.post("state").status == 200, 3, "the control answers")

    def read(self):
        assert self.process.running(), self.process.log()
        found = re.findall(r"^    [AB] +http://127\.0\.0\.1:(\d+)/#demo=(\w+)$", self.process.log(), re.M)
        return ([int(port) for port, _ in found], found[0][1]) if len(found) == 2 else None

    def post(self, path, token=None, method="POST", headers=None):
        """With a right Host, Origin and token, unless said otherwise; None leaves a header out."""
        sent = {"Origin": "http://127.0.0.1:%d" % self.a, **(headers or {})}
        return request(self.control, method, "/" + path, {"token": self.token if token is None else token},
                       {name: value for name, value in sent.items() if value is not None})

    def state(self):
        answer = json.loads(self.post("state").body)
        return answer["redis"], answer["instance"]

    def ready(self, port):
        return request(port, "GET", "/health/ready").status == 200


@test
def each_instance_knows_the_other_and_none_knows_the_token(case):
    demo = Demo(case)
    assert demo.config["peer"] == "http://127.0.0.1:%d" % demo.b, demo.config
    assert json.loads(request(demo.b, "GET", "/demo/config").body)["peer"] == "http://127.0.0.1:%d" % demo.a
    page = request(demo.a, "GET", "/")
    policy = page.headers["content-security-policy"]
    assert "connect-src 'self' %s %s;" % (demo.config["peer"], demo.config["control"]) in policy, policy
    assert len(demo.token) == 32 and demo.token.encode() not in page.body
    for port, other in ((demo.a, demo.b), (demo.b, demo.a)):
        origin = "http://127.0.0.1:%d" % other
        allowed = request(port, "POST", "/counter/increment", headers={"Origin": origin})
        assert allowed.status == 200 and allowed.headers["access-control-allow-origin"] == origin
        foreign = request(port, "POST", "/counter/increment", headers={"Origin": "http://evil.test"})
        assert foreign.status == 403 and foreign.headers["access-control-allow-origin"] is None
        assert foreign.headers["vary"] == "Origin"


@test
def the_buttons_ask_for_token_host_origin_and_post(case):
    demo = Demo(case)
    wrong = [("token", dict(token="")), ("token", dict(token="0" * 32)), ("token", dict(token=demo.token + "0")),
             ("token", dict(token=7)), ("host", dict(headers={"Host": "evil.test:%d" % demo.control})),
             ("host", dict(headers={"Host": "127.0.0.1"})), ("host", dict(headers={"Host": "127.0.0.1:%d" % demo.a})),
             ("origin", dict(headers={"Origin": "http://evil.test"})), ("origin", dict(headers={"Origin": None})),
             ("origin", dict(headers={"Origin": "http://127.0.0.1:%d" % demo.control})),
             ("origin", dict(headers={"Origin": "null"})), ("content-type", dict(headers={"Content-Type": "text/plain"}))]
    for path in ("redis/stop", "instance/stop", "state"):
        for field, change in wrong:
            answer = demo.post(path, **change)
            assert answer.status == (415 if field == "content-type" else 403), (path, change, answer)
            assert json.loads(answer.body)["field"] == field, (path, change, answer)
        assert demo.post(path, method="GET").status == 405
    assert demo.post("nothing").status == 404
    # Orders are done in turn: had one of those been taken, it would be done before this.
    assert demo.post("instance/stop", headers={"Host": "localhost:%d" % demo.control}).status == 202
    until(lambda: "B is killed" in demo.process.log(), what="B is killed")
    assert demo.process.log().count("is killed") == 1
    assert demo.state() == (True, False)


@test
def a_preflight_tells_the_two_instances_and_nobody_else(case):
    demo = Demo(case)
    for port in (demo.a, demo.b):
        origin = "http://127.0.0.1:%d" % port
        answer = request(demo.control, "OPTIONS", "/redis/stop", headers={"Origin": origin})
        assert answer.status == 204 and answer.headers["access-control-allow-origin"] == origin, answer
        assert answer.headers["access-control-allow-headers"] == "content-type"
    answer = request(demo.control, "OPTIONS", "/redis/stop", headers={"Origin": "http://evil.test"})
    assert answer.status == 405 and answer.headers["access-control-allow-origin"] is None, answer


@test
def redis_and_an_instance_are_stopped_and_started(case):
    demo = Demo(case)
    assert request(demo.a, "POST", "/counter/increment").status == 200
    assert demo.post("redis/stop").status == 202
    until(lambda: not demo.ready(demo.a) and not demo.ready(demo.b), 3, "not ready without Redis")
    assert demo.state() == (False, True)
    assert demo.post("redis/start").status == 202
    until(lambda: demo.ready(demo.a) and demo.ready(demo.b), 2, "ready again")
    assert demo.post("instance/stop").status == 202
    until(lambda: gone(demo.b), what="B is gone")
    assert demo.state() == (True, False)
    assert json.loads(request(demo.a, "POST", "/counter/increment").body)["count"] == 2
    assert demo.post("instance/start").status == 202
    until(lambda: demo.ready(demo.b), 3, "B is back where it was")
    assert demo.state() == (True, True)


def two(ports):
    found = list(dict.fromkeys(int(port) for port in ports))
    return found[:2] if len(found) >= 2 else None


def gone(port):
    try:
        request(port, "GET", "/health/live")
    except ConnectionRefusedError:
        return True
    return False


if __name__ == "__main__":
    main()
