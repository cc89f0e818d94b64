"""Looking at the bridges (contract 10.8)."""
import json

from backend import Backend, serve, text
from support import main, test, until
from streams import Stream

TOKEN = "a-token-for-the-admin"
CONFIG = """
loaders: [{ route: "order/:id", load: { get: "%s/{id}" }, shared: true }]
admin: { token: { env: TOKEN } }
"""


def start(case, count=1, redis=None):
    backend = Backend(case, lambda request: text(request.path))
    bridges = [serve(case, CONFIG % backend.url, redis=redis, name="%d.yaml" % number, env={"TOKEN": TOKEN})
               for number in range(count)]
    for bridge in bridges:
        until(bridge.ready)
    return bridges


def sign_in(bridge):
    """The cookie."""
    answer = bridge.post("/admin/session", None, {"Authorization": "Bearer " + TOKEN})
    assert answer.status == 200, answer
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie, cookie
    return {"Cookie": cookie.split(";")[0]}


@test
def every_instance_tells_of_itself(case):
    # contract 10.8
    redis = case.redis()
    one, two = start(case, 2, redis)
    shown = Stream(two.port, "/live/order/7").shows("/7")
    cookie = sign_in(one)
    stream = Stream(one.port, "/live/admin/instances", cookie)
    told = {}

    def both(current):
        for event in current.events:
            if event.name in ("", "message", None) and event.data != "null":
                message = json.loads(event.data)
                told[message["instance"]] = message
        return len(told) == 2 and told["127.0.0.1:%d" % two.port]["streams"] == 1

    stream.until(both, 3)
    assert all(message["bus"] == "proved" for message in told.values()), told
    assert told["127.0.0.1:%d" % two.port]["loads"] >= 1, told
    shown.close()


@test
def an_instance_shows_its_topics_feeds_and_streams(case):
    # contract 10.8: live, while somebody looks, and not else
    (bridge,) = start(case)
    Stream(bridge.port, "/live/order/7").shows("/7")
    stream = Stream(bridge.port, "/live/admin/state", sign_in(bridge))
    stream.until(lambda s: s.newest and s.newest != "null" and "topic order/7:" in json.loads(s.newest)["dump"], 3)
    other = Stream(bridge.port, "/live/order/8").shows("/8")
    stream.until(lambda s: "topic order/8:" in json.loads(s.newest)["dump"], 3)
    state = json.loads(stream.newest)
    assert state["streams"] >= 2 and state["instance"] == "127.0.0.1:%d" % bridge.port, state
    other.close()


@test
def nobody_looks_without_the_token(case):
    # contract 10.8
    (bridge,) = start(case)
    good = sign_in(bridge)["Cookie"]
    end, signature = good.split("=", 1)[1].split(".")
    later = str(int(end) + 1)
    for cookie in ("", "x", end + ".", later + "." + signature, end + "." + signature[:-1] + "z", end + "." + "0" * 64,
                   "1.", "." + signature, TOKEN):
        for path in ("/live/admin/instances", "/live/admin/state"):
            answer = bridge.get(path, {"Cookie": "freshet-admin=" + cookie})
            assert answer.status == 401 and json.loads(answer.body) == {"code": "sign-in"}, (cookie, answer)
    for token in ("", TOKEN[:-1], TOKEN + "x"):
        assert bridge.post("/admin/session", None, {"Authorization": "Bearer " + token}).status == 401
        assert bridge.post("/admin/publish", {"topic": "a"}, {"Authorization": "Bearer " + token}).status == 401
    assert bridge.post("/admin/publish", {"topic": "a"}, {"Cookie": good}).status == 401, "a cookie publishes nothing"
    page = bridge.get("/admin")
    assert page.status == 200 and "default-src 'none'" in page.headers["content-security-policy"], page
    assert TOKEN not in bridge.log()


@test
def it_publishes(case):
    # contract 10.8
    (bridge,) = start(case)
    answer = bridge.post("/admin/publish", {"topic": "order/7"}, {"Authorization": "Bearer " + TOKEN})
    assert answer.status == 200 and json.loads(answer.body)["published"][0]["topic"] == "order/7", answer
    assert bridge.post("/publish", {"topic": "order/7"}, {"Authorization": "Bearer " + TOKEN}).status == 404


@test
def without_a_token_in_the_file_there_is_nothing(case):
    # contract 10.8
    bridge = serve(case, "loaders: []")
    for path in ("/admin", "/admin.js", "/admin.css", "/live/admin/instances", "/live/admin/state"):
        assert bridge.get(path).status == 404, path
    assert bridge.post("/admin/session", None, {"Authorization": "Bearer "}).status == 404


if __name__ == "__main__":
    main()
