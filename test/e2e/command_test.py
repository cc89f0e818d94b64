"""freshet-bridge publish and tail in the terminal (contract 10.7)."""
import json
import os
import signal
import subprocess

from backend import Backend, serve, text, write
from support import BRIDGE, deadline, main, test, until
from streams import Stream


def run(*arguments, given=None, **environment):
    """Status, standard output, standard error."""
    done = subprocess.run([BRIDGE, *arguments], input=given, capture_output=True, text=True, check=False,
                          timeout=deadline(3), env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


class Tail:
    """A tail that listens."""

    def __init__(self, case, redis, topic, *options):
        self.process = case.run([BRIDGE, "tail", "--redis", redis.url, *options, topic])
        self.heard = lambda: [line for line in self.process.log().splitlines()
                              if line[:2] == "20" and " warn " not in line]
        until(lambda: "listening to " + topic in self.process.log(), 2)

    def shows(self, *lines):
        """Their texts, behind the times."""
        until(lambda: [line.split(" ", 1)[1] for line in self.heard()] == list(lines), what=lines)

    def ends(self):
        self.process.signal(signal.SIGINT)
        assert self.process.wait() == 0, self.process.log()


@test
def what_is_published_in_a_terminal_is_loaded_and_shown_in_another(case):
    # contract 10.7
    state = {"n": 0}
    backend = Backend(case, lambda _: text(str(state["n"])))
    redis = case.redis()
    bridge = serve(case, "loaders: [{ route: 'order/:id', load: { get: '%s/' }, shared: true }]" % backend.url, redis=redis)
    until(bridge.ready)
    stream = Stream(bridge.port, "/live/order/7").shows(0)
    tail = Tail(case, redis, "order/7")
    state["n"] = 1
    assert run("publish", "--redis", redis.url, "order/7") == (0, "order/7: 2 instances heard it\n", "")
    stream.shows(1)
    tail.shows("signal")
    assert run("publish", "--redis", redis.url, "order/8") == (0, "order/8: 0 instances heard it\n", "")
    redis.command("PUBLISH", "freshet:order/7", "")
    redis.command("PUBLISH", "freshet:order/7", "not ours")
    tail.shows("signal", "signal", "signal, in another format")
    tail.ends()


@test
def messages_are_shown_as_they_were(case):
    # contract 10.7
    redis = case.redis()
    tail = Tail(case, redis, "chat/a%20b")
    messages = [{"text": "h\u00e9 \"x\"", "n": [0, -1, 200, -200, 70000, -70000, 2 ** 40, -2 ** 40, 1.5, True, False, None]}, "t", 7,
                [], {}, None]
    for message in messages:
        status, out, err = run("publish", "chat/a%20b", json.dumps(message), FRESHET_REDIS=redis.url)
        assert (status, err) == (0, ""), (out, err)
    until(lambda: len(tail.heard()) == len(messages))
    shown = [line.split(" ", 1)[1] for line in tail.heard()]
    # nil is the payload of a signal
    assert [json.loads(line) for line in shown[:-1]] == messages[:-1] and shown[-1] == "signal", shown
    status, _, err = run("publish", "--redis", redis.url, "chat/a%20b", "-", given='{"from":"a pipe"}')
    assert status == 0, err
    until(lambda: tail.heard()[-1].endswith('{"from":"a pipe"}'))
    tail.ends()


@test
def the_file_says_where(case):
    # contract 10.7
    redis = case.redis()
    path = os.path.join(case.folder, "live.yaml")
    write(path, "redis: %s\nprefix: 'app:'\nloaders: []\n" % redis.url)
    tail = Tail(case, redis, "c", "--prefix", "app:")
    assert run("publish", "--config", path, "c")[0] == 0
    tail.shows("signal")
    tail.ends()


@test
def a_redis_that_is_away_is_told(case):
    # contract 10.7
    redis = case.redis()
    tail = Tail(case, redis, "c")
    redis.kill()
    until(lambda: "Redis is away" in tail.process.log(), 3)
    redis.start()
    until(lambda: tail.process.log().count("listening to c") == 2, 3)
    redis.command("PUBLISH", "freshet:c", "")
    tail.shows("signal")
    tail.ends()
    redis.kill()
    status, out, err = run("publish", "--redis", redis.url, "c")
    assert status == 1 and out == "" and "has not accepted it" in err, (status, out, err)


@test
def what_is_wrong_is_named(case):
    # contract 10.7
    for arguments, complaint in (
            (("publish",), "right is TOPIC [MESSAGE]"), (("publish", "a", "1", "2"), "right is TOPIC [MESSAGE]"),
            (("publish", "a b"), "right is TOPIC [MESSAGE]"), (("tail",), "right is TOPIC"), (("tail", "/a"), "right is TOPIC"),
            (("publish", "a"), "--redis says where"), (("tail", "a"), "--redis says where"),
            (("publish", "--redis", "redis://:hunter2@[", "a"), "--redis: "),
            (("publish", "--redis", "redis://127.0.0.1:1", "a", "no json"), "has to be JSON"),
            (("publish", "--threads", "2", "a"), "there is no option --threads"),
            (("publish", "--config", "/nowhere", "a"), "/nowhere: the file can't be read")):
        status, out, err = run(*arguments, FRESHET_REDIS="", FRESHET_CONFIG="")
        assert status == 2 and out == "" and complaint in err, (arguments, status, out, err)
        assert "hunter2" not in err
    for command in ("publish", "tail"):
        status, out, err = run(command, "--help")
        assert status == 0 and "TOPIC" in out and err == "", (status, out, err)


if __name__ == "__main__":
    main()
