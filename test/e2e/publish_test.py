"""Publishing to a bridge over HTTP (contract 10.6)."""
import json
import os
import subprocess
import time

from backend import Backend, serve, text, write
from support import BRIDGE, main, shown, test, until
from streams import Stream

TOKEN = "a-token-for-publishing"
CONFIG = """
loaders:
  - { route: "order/:id", load: { get: "%s/{id}" }, shared: true }
  - { route: "chat/:room", messages: true }
publish: { token: { env: TOKEN } }
"""


class Fixture:
    """Two bridges behind which a backend counts."""

    def __init__(self, case, redis=True):
        self.n = 0
        self.backend = Backend(case, lambda _: text(str(self.n)))
        self.redis = case.redis() if redis else None
        self.bridges = [serve(case, CONFIG % self.backend.url, redis=self.redis, name="%d.yaml" % number,
                              env={"TOKEN": TOKEN}) for number in range(2 if redis else 1)]
        for bridge in self.bridges:
            until(bridge.ready)

    def publish(self, body, token=TOKEN, **headers):
        if token:
            headers["Authorization"] = "Bearer " + token
        answer = self.bridges[0].post("/publish", body, headers)
        return answer.status, json.loads(answer.body)


@test
def a_publish_is_answered_when_the_bus_has_it(case):
    # contract 10.6
    fixture = Fixture(case)
    streams = [Stream(bridge.port, "/live/order/7").shows(0) for bridge in fixture.bridges]
    fixture.n = 1
    assert fixture.publish({"topic": "order/7"}) == (200, {"published": [{"topic": "order/7", "receivers": 2}]})
    for stream in streams:
        stream.shows(1)
    fixture.n = 2
    status, answer = fixture.publish({"topics": ["order/8", "order/7"]})
    assert status == 200 and answer["published"] == [{"topic": "order/8", "receivers": 0},
                                                     {"topic": "order/7", "receivers": 2}], answer
    for stream in streams:
        stream.shows(2)


@test
def a_message_arrives_as_it_was(case):
    # contract 10.6
    fixture = Fixture(case)
    chats = [Stream(bridge.port, "/live/chat/a%20b").opened() for bridge in fixture.bridges]
    until(lambda: fixture.redis.command("PUBSUB", "NUMSUB", "freshet:chat/a%20b")[1] == 2)
    for message in ({"from": "ann", "text": "h\u00e9\u2603 \"x\"", "n": [0, 127, 128, -1, -129, 2 ** 53, -2 ** 62, 1.5, True, False, None]},
                    "text", 7, [], {}, "x" * 8000):
        status, answer = fixture.publish({"topic": "chat/a%20b", "message": message})
        assert status == 200, answer
        for chat in chats:
            chat.until(lambda s: s.newest and json.loads(s.newest) == message)


@test
def without_the_token_nothing_is_published(case):
    # contract 10.6
    fixture = Fixture(case, redis=False)
    bridge = fixture.bridges[0]
    for token in (None, "x", TOKEN + "x", TOKEN[:-1], TOKEN.upper()):
        status, answer = fixture.publish({"topic": "order/7"}, token)
        assert status == 401 and answer["field"] == "authorization", answer
    assert bridge.post("/publish", {"topic": "order/7"}, {"Authorization": "Basic " + TOKEN}).status == 401
    assert bridge.post("/publish?token=" + TOKEN, {"topic": "order/7"}).status == 401
    assert bridge.metric("freshet_publishes_total") == 0
    assert bridge.get("/publish").status == 405
    assert TOKEN not in bridge.log()
    without = serve(case, "loaders: []", name="without.yaml")
    assert without.post("/publish", {"topic": "order/7"}, {"Authorization": "Bearer "}).status == 404


@test
def what_is_wrong_is_named_and_nothing_is_published(case):
    # contract 10.6
    fixture = Fixture(case, redis=False)
    deep = []
    for _ in range(40):
        deep = [deep]
    for body, status, field in (
            ({}, 400, "topic"), ({"topic": ""}, 400, "topic"), ({"topic": 7}, 400, "topic"), ({"topic": "/a"}, 400, "topic"),
            ({"topic": "a/"}, 400, "topic"), ({"topic": "a//b"}, 400, "topic"), ({"topic": "a b"}, 400, "topic"),
            ({"topic": "\u00e9"}, 400, "topic"), ({"topic": "a\r\nPUBLISH"}, 400, "topic"), ({"topic": "a" * 513}, 400, "topic"),
            ({"topic": "a", "topics": ["a"]}, 400, "topic"), ({"topics": []}, 400, "topics"), ({"topics": "a"}, 400, "topics"),
            ({"topics": ["a", "b c"]}, 400, "topics[1]"), ({"topics": ["a"] * 101}, 400, "topics"),
            ({"topic": "a", "mesage": 1}, 400, "mesage"), ({"topic": "a", "message": deep}, 400, "message"),
            ("[]", 400, "body"), ("{", 400, "body"), ("x" * 20000, 413, "body")):
        answered, answer = fixture.publish(body)
        assert answered == status and answer["field"] == field, (body, answered, answer)
    assert fixture.bridges[0].post("/publish", "topic=a", {"Authorization": "Bearer " + TOKEN,
                                                           "Content-Type": "text/plain"}).status == 415
    foreign = fixture.publish({"topic": "a"}, Origin="http://evil.example")
    assert foreign[0] == 403, foreign
    assert fixture.bridges[0].metric("freshet_publishes_total") == 0


@test
def a_bus_that_is_away_is_told_and_gets_it_later(case):
    # contract 10.6
    fixture = Fixture(case)
    stream = Stream(fixture.bridges[1].port, "/live/order/7").shows(0)
    fixture.redis.kill()
    until(lambda: not fixture.bridges[0].ready())
    fixture.n = 1
    started = time.monotonic()
    status, answer = fixture.publish({"topic": "order/7"})
    assert status == 503 and "when it is back" in answer["error"], answer
    assert time.monotonic() - started < 10
    fixture.redis.start()
    stream.shows(1, 3)


@test
def what_is_wrong_in_the_file_is_told(case):
    # contract 10.1
    for publish, complaint in (("{}", "publish: token is missing"), ("{ token: short }", "publish.token: wrong value"),
                               ("{ token: { env: NOT_SET } }", "NOT_SET is not set"),
                               ("{ token: 0123456789abcdef, path: live/x }", "publish.path: wrong value"),
                               ("{ token: 0123456789abcdef, path: /live }", "publish.path: wrong value"),
                               ("{ token: 0123456789abcdef, path: '/a/:b' }", "publish.path: wrong value"),
                               ("{ token: 0123456789abcdef, pth: /x }", "right would be path")):
        path = os.path.join(case.folder, "wrong.yaml")
        write(path, "publish: " + publish + "\n")
        checked = subprocess.run([BRIDGE, "--config", path, "--check-config"], capture_output=True, text=True, check=False)
        assert checked.returncode == 2 and complaint in checked.stderr, (publish, checked)
        assert "0123456789" not in checked.stderr


@test
def what_the_readme_shows_publishes(case):
    # contract 10.6
    fixture = Fixture(case)
    stream = Stream(fixture.bridges[1].port, "/live/order/7").shows(0)
    environment = {**os.environ, "FRESHET_URL": "http://127.0.0.1:%d" % fixture.bridges[0].port,
                   "FRESHET_PUBLISH_TOKEN": TOKEN}
    call = "publish('order/7', 'orders')"
    for command in (["sh", "-c", shown("sh", "/publish")], ["python3", "-c", shown("python", "def publish") + call],
                    ["node", "--input-type=module", "-e", shown("js", "function publish") + "await " + call]):
        fixture.n += 1
        subprocess.run(command, env=environment, check=True, capture_output=True)
        stream.shows(fixture.n)
    wrong = {**environment, "FRESHET_PUBLISH_TOKEN": "not the token"}
    for command in (["sh", "-c", shown("sh", "/publish")], ["python3", "-c", shown("python", "def publish") + call],
                    ["node", "--input-type=module", "-e", shown("js", "function publish") + "await " + call]):
        assert subprocess.run(command, env=wrong, capture_output=True, check=False).returncode != 0, command


if __name__ == "__main__":
    main()
