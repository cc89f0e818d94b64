"""Guards that a file declares: tokens, signed URLs, asking the application (contract 10.5)."""
import base64
import hashlib
import hmac
import json
import os
import subprocess
import threading
import time
import urllib.parse

from backend import Backend, serve, text, write
from support import BRIDGE, main, shown, test, until
from streams import Stream

SECRET = "a secret that is at least 32 bytes"


# ---- an issuer of tokens, a signer of URLs ----

def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value):
    return base64url(json.dumps(value).encode())


def token(claims, secret=SECRET, **header):
    """Signed with HS256."""
    signed = part({"alg": "HS256", **header}) + "." + part(claims)
    return signed + "." + base64url(hmac.new(secret.encode(), signed.encode(), "sha256").digest())


class Key:
    """An RSA key of the issuer's."""

    def __init__(self, case, name):
        self.name = name
        self.path = os.path.join(case.folder, name + ".pem")
        subprocess.run(["openssl", "genrsa", "-out", self.path, "2048"], check=True, capture_output=True)
        answer = subprocess.run(["openssl", "rsa", "-in", self.path, "-noout", "-modulus"], check=True,
                                capture_output=True)
        self.modulus = bytes.fromhex(answer.stdout.decode().strip().split("=")[1])

    def jwk(self):
        return {"kty": "RSA", "kid": self.name, "use": "sig", "alg": "RS256", "n": base64url(self.modulus), "e": "AQAB"}

    def token(self, claims):
        signed = part({"alg": "RS256", "kid": self.name}) + "." + part(claims)
        answer = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path], input=signed.encode(), check=True,
                                capture_output=True)
        return signed + "." + base64url(answer.stdout)


def soon(seconds=60):
    return time.time() + seconds


def bearer(text_of_token):
    return {"Authorization": "Bearer " + text_of_token}


def sign(path, expires, user=""):
    """What bridge/README.md shows."""
    signed = "%s\n%d\n%s" % (path, expires, user)
    return base64url(hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest())


def refused(bridge, path, status, code, headers=None):
    answer = bridge.get(path, headers)
    assert answer.status == status and json.loads(answer.body)["code"] == code, answer


def ended(stream, code):
    stream.until(lambda s: s.end, 3, "the end")
    assert json.loads(stream.end)["code"] == code, stream.end


# ---- tokens ----

JWT = """
loaders:
  - { route: me, load: { get: "%s/user/{user}" }, per: [user], use: [token] }
  - { route: "tree/:path+", load: { get: "%s/tree/{path}" }, shared: true, use: [tree] }
  - { route: "user/:userId", load: { get: "%s/user/{userId}" }, shared: true, use: [own] }
guards:
  token: { jwt: { secret: { env: SECRET }, audience: live, issuer: id, claims: { sub: user }, cookie: jwt, query: jwt } }
  tree: { jwt: { secret: { env: SECRET }, params: { path: sub } } }
  own: { jwt: { secret: { env: SECRET }, params: { userId: sub } } }
"""


def serve_jwt(case, redis=None):
    backend = Backend(case, lambda request: text(request.path))
    return serve(case, JWT % (backend.url, backend.url, backend.url), redis=redis, env={"SECRET": SECRET})


def claims(**more):
    return {"sub": "ann", "aud": "live", "iss": "id", "exp": soon(), **more}


@test
def a_token_lets_in_and_tells_who_it_is(case):
    # contract 10.5: in the header, a cookie, or the query
    bridge = serve_jwt(case)
    good = token(claims())
    Stream(bridge.port, "/live/me", bearer(good)).shows("/user/ann")
    Stream(bridge.port, "/live/me", {"Cookie": "a=b; jwt=" + good}).shows("/user/ann")
    Stream(bridge.port, "/live/me?jwt=" + good).shows("/user/ann")
    Stream(bridge.port, "/live/me", bearer(token(claims(sub="b/c")))).shows("/user/b%2Fc")


@test
def hostile_tokens_are_refused(case):
    # contract 10.5
    bridge = serve_jwt(case)
    unsigned = part({"alg": "none"}) + "." + part(claims()) + "."
    good = token(claims())
    refused(bridge, "/live/me", 401, "no-token")
    for wrong in (unsigned, unsigned + base64url(b"x"), token(claims(), secret="another secret that is 32 bytes long"),
                  token(claims(aud="other")), token(claims(iss="other")), good[:-1], good + ".", "x", ".." ,
                  token(claims(), alg="HS512"), token(claims(), crit=["exp"])):
        refused(bridge, "/live/me", 401, "token-invalid", bearer(wrong))
    refused(bridge, "/live/me", 401, "token-expired", bearer(token(claims(exp=time.time() - 1))))
    no_end = claims()
    del no_end["exp"]
    refused(bridge, "/live/me", 401, "token-expired", bearer(token(no_end)))
    assert SECRET not in bridge.log() and good not in bridge.log()


@test
def a_token_that_is_not_yet_valid_is_asked_for_again(case):
    # contract 10.5: clocks differ, so this is no answer for good
    bridge = serve_jwt(case)
    early = Stream(bridge.port, "/live/me", bearer(token(claims(nbf=soon()))))
    ended(early, "guard-failed")
    assert early.status == 200


@test
def a_parameter_can_have_to_be_a_claim(case):
    # contract 10.5
    bridge = serve_jwt(case)
    mine = bearer(token({"sub": "ann", "exp": soon()}))
    Stream(bridge.port, "/live/user/ann", mine).shows("/user/ann")
    refused(bridge, "/live/user/bob", 403, "not-yours", mine)
    Stream(bridge.port, "/live/tree/ann", mine).shows("/tree/ann")
    refused(bridge, "/live/tree/ann/secret", 403, "not-yours", mine)
    several = bearer(token({"sub": ["ann", "bob", 7], "exp": soon()}))
    for user in ("ann", "bob", "7"):
        Stream(bridge.port, "/live/user/" + user, several).shows("/user/" + user)
    refused(bridge, "/live/user/carl", 403, "not-yours", several)
    for nobody in (None, {}, {"ann": "ann"}, [], True, [["x"]], "", "ann,bob"):
        refused(bridge, "/live/user/ann", 403, "not-yours", bearer(token({"sub": nobody, "exp": soon()})))


@test
def the_stream_ends_with_its_token(case):
    # contract 10.5: to the second, though nothing is published, and nothing else is told to it before
    redis = case.redis()
    bridge = serve_jwt(case, redis)
    until(bridge.ready)
    end = time.time() + 2
    one = Stream(bridge.port, "/live/user/ann", bearer(token({"sub": "ann", "exp": end}))).shows("/user/ann")
    longer = Stream(bridge.port, "/live/user/ann", bearer(token({"sub": "ann", "exp": soon(600)}))).shows("/user/ann")
    ended(one, "token-expired")
    assert time.time() >= end - 0.01
    redis.command("PUBLISH", "freshet:user/ann", "")
    longer.until(lambda s: s.snapshots == 2)


@test
def keys_that_rotate_are_fetched(case):
    # contract 10.5: no restart, no token refused, and strangers don't have the keys fetched without end
    old, new, stranger = (Key(case, name) for name in ("old", "new", "stranger"))
    served = {"keys": [old.jwk()]}
    backend = Backend(case, lambda request: text(json.dumps(served) if request.path == "/jwks.json" else "state"))
    bridge = serve(case, """
loaders: [{ route: c, load: { get: "%s/c" }, shared: true, use: [token] }]
guards: { token: { jwt: { keys: "%s/jwks.json", claims: { sub: user } } } }
""" % (backend.url, backend.url))
    Stream(bridge.port, "/live/c", bearer(old.token({"exp": soon()}))).shows("state")
    served["keys"] = [new.jwk()]
    Stream(bridge.port, "/live/c", bearer(new.token({"exp": soon()}))).shows("state")
    refused(bridge, "/live/c", 401, "token-invalid", bearer(old.token({"exp": soon()})))
    for _ in range(20):
        bridge.get("/live/c", bearer(stranger.token({"exp": soon()})))
    fetched = backend.paths.count("/jwks.json")
    assert 2 <= fetched <= 6, fetched
    # A public key is no secret, however it is written.
    modulus = base64url(new.modulus)
    refused(bridge, "/live/c", 401, "token-invalid", bearer(token({"exp": soon()}, secret=modulus, kid="new")))


@test
def a_key_that_is_newer_than_the_answer_on_its_way_is_asked_for(case):
    # contract 10.5: the answer to a question from before the rotation is not the last word
    old, new = Key(case, "old"), Key(case, "new")
    go_on, served = threading.Event(), {"keys": [old.jwk()]}
    go_on.set()

    def answer(request):
        if request.path != "/jwks.json":
            return text("state")
        keys = json.dumps(served)
        go_on.wait(30)
        return text(keys)

    backend = Backend(case, answer)
    bridge = serve(case, """
loaders: [{ route: c, load: { get: "%s/c" }, shared: true, use: [token] }]
guards: { token: { jwt: { keys: "%s/jwks.json", refresh: 1ms } } }
""" % (backend.url, backend.url))
    known = bearer(old.token({"exp": soon()}))
    streams = [Stream(bridge.port, "/live/c", known).shows("state")]
    go_on.clear()
    # Each has the keys read again, unless that is under way already.
    until(lambda: streams.append(Stream(bridge.port, "/live/c", known).shows("state")) or backend.running == 1)
    served["keys"] = [new.jwk()]
    before = bridge.metric("freshet_guards_total")
    streams.append(Stream(bridge.port, "/live/c", bearer(new.token({"exp": soon()}))))
    until(lambda: bridge.metric("freshet_guards_total") >= before + 2)  # that of the route, and the file's
    go_on.set()
    for stream in streams:
        stream.shows("state")


@test
def keys_that_can_not_be_fetched_refuse_for_now(case):
    # contract 10.5: nobody is let in, and nobody is told to stay away
    key = Key(case, "key")
    state = {"status": 500}
    backend = Backend(case, lambda request: text(json.dumps({"keys": [key.jwk()]}) if request.path == "/jwks.json" else "state",
                                                 state["status"]))
    bridge = serve(case, """
loaders: [{ route: c, load: { get: "%s/c" }, shared: true, use: [token] }]
guards: { token: { jwt: { keys: "%s/jwks.json" } } }
""" % (backend.url, backend.url))
    ended(Stream(bridge.port, "/live/c", bearer(key.token({"exp": soon()}))), "guard-failed")
    assert "answered with status 500" in bridge.log()
    state["status"] = 200
    Stream(bridge.port, "/live/c", bearer(key.token({"exp": soon()}))).shows("state")


@test
def keys_are_read_from_a_file_again(case):
    # contract 10.5
    old, new = Key(case, "old"), Key(case, "new")
    backend = Backend(case, lambda _: text("state"))
    path = os.path.join(case.folder, "keys.json")
    write(path, json.dumps({"keys": [old.jwk()]}))
    bridge = serve(case, """
loaders: [{ route: c, load: { get: "%s/c" }, shared: true, use: [token] }]
guards: { token: { jwt: { keys: "%s" } } }
""" % (backend.url, path))
    Stream(bridge.port, "/live/c", bearer(old.token({"exp": soon()}))).shows("state")
    write(path, json.dumps({"keys": [new.jwk()]}))
    Stream(bridge.port, "/live/c", bearer(new.token({"exp": soon()}))).shows("state")


# ---- signed URLs ----

@test
def a_signed_url_opens_its_stream_and_no_other(case):
    # contract 10.5
    backend = Backend(case, lambda request: text(request.path))
    bridge = serve(case, """
loaders:
  - { route: "order/:id", load: { get: "%s/order/{id}" }, shared: true, use: [link] }
  - { route: me, load: { get: "%s/{user}" }, per: [user], use: [link] }
guards: { link: { signed: { secret: [ { env: OLD }, { env: SECRET } ] } } }
""" % (backend.url, backend.url), env={"SECRET": SECRET, "OLD": "o" * 32})
    end = int(soon(600))
    Stream(bridge.port, "/live/order/a%%20b?expires=%d&signature=%s" % (end, sign("order/a%20b", end))).shows("/order/a%20b")
    Stream(bridge.port, "/live/me?expires=%d&user=a%%26b&signature=%s" % (end, sign("me", end, "a&b"))).shows("/a%26b")
    refused(bridge, "/live/order/7", 403, "link-invalid")
    refused(bridge, "/live/order/8?expires=%d&signature=%s" % (end, sign("order/7", end)), 403, "link-invalid")
    refused(bridge, "/live/order/7?expires=%d&signature=%s" % (end + 1, sign("order/7", end)), 403, "link-invalid")
    refused(bridge, "/live/me?expires=%d&user=eve&signature=%s" % (end, sign("me", end, "ann")), 403, "link-invalid")
    past = int(time.time()) - 1
    refused(bridge, "/live/order/7?expires=%d&signature=%s" % (past, sign("order/7", past)), 403, "link-expired")
    near = int(time.time()) + 2
    ended(Stream(bridge.port, "/live/order/7?expires=%d&signature=%s" % (near, sign("order/7", near))), "link-expired")


@test
def what_the_readme_shows_signs_urls(case):
    # contract 10.5
    backend = Backend(case, lambda request: text(request.path))
    bridge = serve(case, """
loaders: [{ route: "order/:id", load: { get: "%s/order/{id}/{user}" }, per: [user], use: [link] }]
guards: { link: { signed: { secret: { env: SECRET } } } }
""" % backend.url, env={"SECRET": SECRET})
    python = {}
    exec(shown("python", "hmac"), python)  # pylint: disable=exec-used
    arguments = ("order/a b'\u00e9", SECRET, 600, "ann&co")
    script = shown("js", "Hmac") + "console.log(liveUrl(...JSON.parse(process.argv[1])))"
    node = subprocess.run(["node", "--input-type=module", "-e", script, json.dumps(arguments)], capture_output=True,
                          text=True, check=True)
    for url in (python["live_url"](*arguments), node.stdout.strip()):
        Stream(bridge.port, url).shows("/order/a%20b'%C3%A9/ann%26co")


@test
def views_of_one_stream_are_signed_each(case):
    # contract 10.5
    backend = Backend(case, lambda request: text(request.path))
    bridge = serve(case, """
loaders: [{ route: "order/:id", load: { get: "%s/order/{id}" }, shared: true, use: [link] }]
guards: { link: { signed: { secret: { env: SECRET } } } }
""" % backend.url, env={"SECRET": SECRET})
    end = int(soon(600))
    views = ["/order/7?expires=%d&signature=%s" % (end, sign("order/7", end)), "/order/8"]
    stream = Stream(bridge.port, "/live?" + "&".join("v=" + urllib.parse.quote(view + "~", safe="") for view in views))
    stream.until(lambda s: any(event.data.endswith("\n/order/7") for event in s.events))
    stream.until(lambda s: any("link-invalid" in event.data for event in s.events))


# ---- asking the application ----

ASK = """
loaders:
  - { route: "order/:id", load: { get: "%s/order/{id}" }, shared: true, use: [ask] }
  - { route: me, load: { get: "%s/me/{user}" }, per: [user], use: [ask] }
guards: { ask: { ask: "%s/may", forward: [Cookie], attributes: [user, role], for: %s } }
"""


class Application(Backend):
    """Knows who is signed in."""

    def __init__(self, case):
        self.users = {"s=1": "ann", "s=2": "bob"}
        self.said = None    # to every question
        self.go_on = threading.Event()
        self.go_on.set()
        super().__init__(case, self.say)

    def say(self, request):
        if request.path != "/may":
            return text(request.path)
        self.go_on.wait(10)
        if self.said:
            return self.said
        user = self.users.get(request.headers.get("cookie"))
        return text(json.dumps({"user": user, "role": ["a", 1], "secret": "x"})) if user else text("who?", 401)

    def asked(self):
        return [headers for path, headers in zip(self.paths, self.headers) if path == "/may"]


def serve_ask(case, hold="30s", redis=None):
    application = Application(case)
    bridge = serve(case, ASK % (application.url, application.url, application.url, hold), redis=redis)
    return application, bridge


@test
def the_application_says_who_may_watch(case):
    # contract 10.5: only named headers are handed on, and the path
    application, bridge = serve_ask(case)
    headers = {"Cookie": "s=1", "Authorization": "Basic x", "X-Freshet-Path": "forged"}
    Stream(bridge.port, "/live/me", headers).shows("/me/ann")
    asked = {name.lower(): value for name, value in application.asked()[0].items()}
    assert asked["cookie"] == "s=1" and asked["x-freshet-path"] == "me", asked
    assert set(asked) <= {"cookie", "x-freshet-path", "accept", "host", "user-agent", "accept-encoding"}, asked
    Stream(bridge.port, "/live/me", {"Cookie": "s=2"}).shows("/me/bob")
    refused(bridge, "/live/me", 401, "sign-in", {"Cookie": "s=3"})
    application.said = text("", 403)
    refused(bridge, "/live/order/7", 403, "forbidden")
    application.said = text("", 404)
    refused(bridge, "/live/order/7", 404, "not-found")
    application.said = text("", 302, Location="https://example.org/sign-in?next=1")
    answer = bridge.get("/live/order/7")
    assert answer.status == 302 and answer.headers["location"] == "https://example.org/sign-in?next=1", answer
    application.said = 204, {"X-Freshet-User": "carl"}, b""
    Stream(bridge.port, "/live/me", {"Cookie": "s=4"}).shows("/me/carl")


@test
def many_who_ask_the_same_are_one_question(case):
    # contract 10.5
    application, bridge = serve_ask(case)
    application.go_on.clear()
    streams = [Stream(bridge.port, "/live/order/7", {"Cookie": "s=1"}) for _ in range(20)]
    until(lambda: application.asked())
    other = Stream(bridge.port, "/live/order/7", {"Cookie": "s=2"})
    until(lambda: len(application.asked()) == 2)
    application.go_on.set()
    for stream in streams + [other]:
        stream.shows("/order/7")
    Stream(bridge.port, "/live/order/7", {"Cookie": "s=1"}).shows("/order/7")
    assert len(application.asked()) == 2
    Stream(bridge.port, "/live/order/8", {"Cookie": "s=1"}).shows("/order/8")
    assert len(application.asked()) == 3, "another place is another question"


@test
def a_sign_out_ends_the_streams_when_the_answer_is_over(case):
    # contract 10.5
    application, bridge = serve_ask(case, hold="1s")
    stream = Stream(bridge.port, "/live/order/7", {"Cookie": "s=1"}).shows("/order/7")
    other = Stream(bridge.port, "/live/order/7", {"Cookie": "s=2"}).shows("/order/7")
    del application.users["s=1"]
    ended(stream, "sign-in")
    before = len(application.asked())
    until(lambda: len(application.asked()) >= before + 2, 2, "the other one is asked about again")
    assert other.end is None
    refused(bridge, "/live/order/7", 401, "sign-in", {"Cookie": "s=1"})
    application.users["s=1"] = "ann"
    Stream(bridge.port, "/live/order/7", {"Cookie": "s=1"}).shows("/order/7")  # a deny is not kept


@test
def an_application_that_is_down_lets_nobody_in_and_ends_nothing(case):
    # contract 10.5
    redis = case.redis()
    application, bridge = serve_ask(case, hold="1s", redis=redis)
    until(bridge.ready)
    stream = Stream(bridge.port, "/live/order/7", {"Cookie": "s=1"}).shows("/order/7")
    for said in (text("Traceback: hunter2", 500), text("", 302), text("", 429)):
        application.said = said
        late = Stream(bridge.port, "/live/order/8", {"Cookie": "s=1"})
        ended(late, "guard-failed")
        assert "hunter2" not in repr(late.events)
    before = len(application.asked())
    until(lambda: len(application.asked()) > before, 2, "the open one is asked about")
    assert stream.end is None
    application.said = None
    redis.command("PUBLISH", "freshet:order/7", "")
    stream.until(lambda s: s.snapshots == 2, 3)


# ---- the file ----

@test
def what_is_wrong_with_a_guard_is_told(case):
    # contract 10.1
    loaders = "loaders: [{ route: c, load: { get: 'http://127.0.0.1:1/' }, use: [g] }]\n"
    for guard, complaint in (
            ("{}", "guards.g: wrong value; right is a map with one of ask, jwt and signed"),
            ("{ ask: 'http://x/', jwt: { secret: %s } }" % SECRET.replace(" ", "_"), "with one of ask, jwt and signed"),
            ("{ ask: may }", "guards.g.ask: wrong value; right is a URL"),
            ("{ ask: 'http://x/', forwards: [cookie] }", "guards.g.forwards: there is no such key; right would be forward"),
            ("{ ask: 'http://x/', forward: [X-Freshet-Path] }", "guards.g.forward: wrong value; right is up to 16 names of headers"),
            ("{ ask: 'http://x/', forward: [host] }", "guards.g.forward: wrong value"),
            ("{ ask: 'http://x/', forward: ['a: b'] }", "guards.g.forward: wrong value"),
            ("{ jwt: { audience: live } }", "guards.g.jwt: needs one of keys and secret"),
            ("{ jwt: { secret: short } }", "guards.g.jwt.secret: wrong value; right is a secret of 32 bytes or more"),
            ("{ jwt: { keys: /nowhere, algorithms: [none] } }", "guards.g.jwt.algorithms: wrong value"),
            ("{ jwt: { keys: /nowhere } }", "guards.g: the file can't be read"),
            ("{ signed: {} }", "guards.g.signed: secret is missing"),
            ("{ signed: { secret: %s }, for: 3s }" % SECRET.replace(" ", "_"), "go with ask only")):
        path = os.path.join(case.folder, "wrong.yaml")
        write(path, loaders + "guards:\n  g: " + guard + "\n")
        checked = subprocess.run([BRIDGE, "--config", path, "--check-config"], capture_output=True, text=True, check=False)
        assert checked.returncode == 2 and complaint in checked.stderr, (guard, checked)
        assert "wrong.yaml:3:" in checked.stderr, checked.stderr
        assert SECRET.replace(" ", "_") not in checked.stderr


if __name__ == "__main__":
    main()
