"""What the end-to-end tests share: real processes, HTTP, Redis, and a runner that counts.

Nothing here sleeps to wait for something: until() asks again and again, up to a deadline. Deadlines are ten
times what the contract states.
"""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "bridge", "demo_lib"))
import wire
from wire import RedisClient, RedisError, free_port, parse_metrics

BUILD = os.environ.get("FRESHET_BUILD", os.path.join(TOP, "build-test", "gcc"))
BRIDGE = os.environ.get("FRESHET_BRIDGE", os.path.join(BUILD, "bridge", "freshet-bridge"))
AGENT = os.environ.get("FRESHET_AGENT", os.path.join(BUILD, "bridge", "freshet-agent"))
SANITIZE = os.environ.get("FRESHET_SANITIZE", "")
SLOW = 4 if SANITIZE else 1  # sanitized programs are that much slower
PAUSE_S = 0.02  # between two looks at a condition

# Stated times of the contract, in seconds; deadline() makes them what a test waits for at most.
HEAL_S = 2.0
STEP_S = 1.0


def deadline(stated_s):
    return stated_s * 10 * SLOW


def shown(language, word):
    """The code in bridge/README.md that is in this language and has this word: what is shown there works."""
    with open(os.path.join(TOP, "bridge", "README.md"), encoding="utf-8") as readme:
        blocks = readme.read().split("```")[1::2]
    return next(block[len(language):] for block in blocks if block.startswith(language + "\n") and word in block)


class Expired(AssertionError):
    pass


def until(condition, stated_s=STEP_S, what=None):
    """Returns the first true value of condition(); OSError counts as not yet."""
    end = time.monotonic() + deadline(stated_s)
    while True:
        try:
            value = condition()
        except (OSError, http.client.HTTPException):
            value = None
        if value:
            return value
        if time.monotonic() > end:
            raise Expired("not within %g s: %s" % (deadline(stated_s), what or "the condition"))
        time.sleep(PAUSE_S)


def request(port, method, path, body=None, headers=None):
    return wire.request(port, method, path, body, headers, deadline(3))


def exchange(port, data, stop=None):
    """Sends raw bytes and returns what comes back until the other side closes, or until `stop` is seen."""
    with socket.create_connection(("127.0.0.1", port), timeout=deadline(1)) as connection:
        got = b""
        try:
            connection.sendall(data)
            while stop is None or stop not in got:
                piece = connection.recv(65536)
                if not piece:
                    break
                got += piece
        except ConnectionError:
            pass
        return got


class Process:
    """A child with its output in a file; ended by its own pid."""

    def __init__(self, arguments, log, env=None, cwd=None, stdin=subprocess.DEVNULL):
        self.log_path = log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(arguments, stdin=stdin, stdout=out,
                                          stderr=subprocess.STDOUT, env=env, cwd=cwd)
        self.pid = self.child.pid

    def running(self):
        return self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        if self.running():
            self.child.kill()
        return self.child.wait(deadline(1))

    def wait(self, stated_s=STEP_S):
        try:
            return self.child.wait(deadline(stated_s))
        except subprocess.TimeoutExpired:
            raise Expired("process %d did not end within %g s" % (self.pid, deadline(stated_s))) from None

    def log(self):
        with open(self.log_path, "rb") as lines:
            return lines.read().decode("utf-8", "replace")

    def sockets(self):
        """How many it holds. Not all of its descriptors: each of its loops makes some for itself when its thread comes
        to run, and on a busy machine that is later than the first answer of another one."""
        folder, links = "/proc/%d/fd" % self.pid, []
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed in the meantime
                links.append(os.readlink(os.path.join(folder, name)))
        return sum(link.startswith("socket:") for link in links)

    def memory_kib(self):
        with open("/proc/%d/status" % self.pid) as lines:
            return int(re.search(r"VmRSS:\s+(\d+)", lines.read()).group(1))


class Redis:
    """A private redis-server that keeps its data over a kill."""

    def __init__(self, folder, *options):
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="redis-", dir=folder)
        self.options = list(options)
        self.password = None
        self.process = None

    @property
    def url(self):
        return "redis://127.0.0.1:%d" % self.port

    def arguments(self):
        return ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "", "--appendonly", "yes",
                "--appendfsync", "always", "--repl-diskless-sync-delay", "0"] + self.options

    def start(self, wait=True):
        self.process = Process(["redis-server"] + self.arguments(), os.path.join(self.folder, "log"))
        if wait:
            until(self.answers, 2, "redis-server answers")
        return self

    def answers(self):
        if not self.process.running():
            raise AssertionError("redis-server ended:\n" + self.process.log())
        try:
            return self.command("PING") == "PONG"
        except RedisError as error:
            if str(error).startswith("LOADING"):
                return False
            raise

    def client(self):
        return RedisClient(self.port, self.password, deadline(1))

    def command(self, *arguments):
        with self.client() as client:
            return client.command(*arguments)

    def kill(self):
        if self.process:
            self.process.kill()


class Bridge(Process):
    """A freshet-bridge, on a free port unless one is given."""

    def __init__(self, folder, *options, redis=None, port=None, env=None, wait=True):
        self.port = port or free_port()
        arguments = [BRIDGE, "--listen", "127.0.0.1:%d" % self.port]
        if redis:
            arguments += ["--redis", redis if isinstance(redis, str) else redis.url]
        self.expected_exit = 0
        super().__init__(arguments + list(options), os.path.join(folder, "bridge-%d.log" % self.port),
                         env={**os.environ, **(env or {})})
        if wait:
            until(self.live, 3, "the bridge is live")

    def live(self):
        if not self.running():
            raise AssertionError("freshet-bridge ended:\n" + self.log())
        return self.get("/health/live").status == 200

    def ready(self):
        return self.get("/health/ready").status == 200

    def get(self, path, headers=None):
        return request(self.port, "GET", path, headers=headers)

    def post(self, path, body=None, headers=None):
        return request(self.port, "POST", path, body, headers)

    def increment(self):
        """The new count, or None where the change was refused."""
        response = self.post("/counter/increment")
        return counted(response.body) if response.status == 200 else None

    def add_task(self, board, title):
        answer = self.post("/board/%s/tasks" % board, {"title": title})
        assert answer.status == 201, answer
        return json.loads(answer.body)

    def metrics(self):
        response = self.get("/metrics")
        assert response.status == 200, response
        return parse_metrics(response.body.decode())

    def metric(self, name):
        """The value, or the sum over its labels."""
        found = [value for key, value in self.metrics().items() if key.split("{")[0] == name]
        assert found, "no metric " + name
        return sum(found)

    def stop(self):
        if self.running():
            self.signal(signal.SIGTERM)
        status = self.wait(3)
        assert status == self.expected_exit, "freshet-bridge left with %s:\n%s" % (status, self.log()[-4000:])


def counted(body):
    """The number in an answer of the counter."""
    value = json.loads(body)
    if isinstance(value, dict):
        value = value["count"]
    return int(value)


class Case:
    """What one test starts, so that all of it is stopped at its end, in turn."""

    def __init__(self, name):
        self.name = name
        self.folder = tempfile.mkdtemp(prefix="freshet-")
        self.processes = []
        self.stack = contextlib.ExitStack()

    def redis(self, *options, start=True, password=None):
        redis = Redis(self.folder, *options)
        redis.password = password
        self.stack.callback(redis.kill)
        if start:
            redis.start()
        return redis

    def bridge(self, *options, **more):
        bridge = Bridge(self.folder, *options, **more)
        self.processes.append(bridge)
        return bridge

    def run(self, arguments, **more):
        process = Process(arguments, os.path.join(self.folder, "process-%d.log" % len(self.processes)), **more)
        self.stack.callback(process.kill)
        return process

    def defer(self, function, *arguments):
        self.stack.callback(function, *arguments)

    def close(self, failed):
        """Bridges leave by SIGTERM with status 0: what a sanitizer has to say comes at their exit."""
        problems = []
        for bridge in self.processes:
            try:
                bridge.stop()
            except AssertionError as error:
                problems.append(str(error))
                bridge.kill()
        self.stack.close()
        if failed or problems:
            for bridge in self.processes:
                print("--- log of port %d\n%s" % (bridge.port, bridge.log()[-3000:]))
        shutil.rmtree(self.folder, ignore_errors=True)
        return problems


TESTS = []


def test(function):
    TESTS.append(function)
    return function


def run_one(function):
    case = Case(function.__name__)
    started = time.monotonic()
    failed = False
    try:
        function(case)
    except Exception:
        failed = True
        traceback.print_exc(file=sys.stdout)
    for problem in case.close(failed):
        failed = True
        print(problem)
    print("%s %s (%.1f s)" % ("FAIL" if failed else "ok  ", function.__name__, time.monotonic() - started),
          flush=True)
    return not failed


def main():
    """Runs the tests of the calling file, or those named on the command line."""
    chosen = [f for f in TESTS if len(sys.argv) == 1 or f.__name__ in sys.argv[1:]]
    passed = sum([run_one(function) for function in chosen])
    print("%d passed, %d failed" % (passed, len(chosen) - passed))
    sys.exit(0 if chosen and passed == len(chosen) else 1)
