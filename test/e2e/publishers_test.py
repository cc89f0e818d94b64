"""The publishers of README.md, run as they stand there (contract 2.1, 2.2)."""
import os
import re
import subprocess

from support import TOP, deadline, main, test, until
from streams import Stream


def snippet(language):
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as readme:
        found = re.findall(r"^```%s\n(.*?)^```$" % language, readme.read(), re.S | re.M)
    found = [text for text in found if "freshet:counter" in text]
    assert len(found) == 1, "README.md has %d publishers in %s" % (len(found), language)
    return found[0]


def publishes(case, command, environment, foreign):
    """Runs a publisher with the state changed behind the instance's back: the stream has to show it."""
    redis = case.redis()
    bridge = case.bridge(redis=redis)
    until(bridge.ready)
    stream = Stream(bridge.port, "/live/counter").shows(0)
    assert bridge.increment() == 1
    stream.shows(1)
    key = [k for k in redis.command("KEYS", "*counter*") if redis.command("TYPE", k) == "string"][0]
    redis.command("INCR", key)
    answer = subprocess.run(command(redis), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                            timeout=deadline(2), env={**os.environ, **environment(redis)})
    assert answer.returncode == 0, answer
    stream.shows(2)
    assert bridge.metric("freshet_messages_foreign_total") == foreign


@test
def the_shell_publishes_a_signal(case):
    text = snippet("sh")
    publishes(case, lambda redis: ["sh", "-c", text.replace("redis-cli", "redis-cli -p %d" % redis.port)],
              lambda _: {}, foreign=1)


@test
def python_publishes_a_message_of_the_format(case):
    publishes(case, lambda _: ["/usr/bin/python3", "-c", snippet("python")],
              lambda redis: {"REDIS_PORT": str(redis.port)}, foreign=0)


@test
def javascript_publishes_a_message_of_the_format(case):
    publishes(case, lambda _: ["node", "-e", snippet("js")],
              lambda redis: {"REDIS_PORT": str(redis.port)}, foreign=0)


if __name__ == "__main__":
    main()
