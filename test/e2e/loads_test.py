"""Loaders that a file declares: state from a backend, from Redis, from files (contract 10)."""
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

from backend import Backend, serve, text, write
from support import BRIDGE, deadline, exchange, main, request, test, until
from streams import Stream


def published(redis, topic):
    return redis.command("PUBLISH", "freshet:" + topic, "")


def error_of(stream):
    """The code of the newest load-error."""
    codes = [json.loads(event.data)["code"] for event in stream.events if event.name == "load-error"]
    return codes[-1] if codes else None


def fails_with(stream, code):
    return stream.until(lambda s: error_of(s) == code, 3, "load-error " + code)


@test
def a_publish_is_one_request_for_each_instance(case):
    # contract 10.2
    state = {"n": 0}
    backend = Backend(case, lambda request: text(json.dumps({"path": request.path, "n": state["n"]})))
    redis = case.redis()
    config = """
loaders:
  - route: order/:orderId
    load: { get: "%s/internal/orders/{orderId}" }
    shared: true
""" % backend.url
    first, second = (serve(case, config, redis=redis, name="%d.yaml" % n) for n in (1, 2))
    for bridge in (first, second):
        until(bridge.ready)
    streams = [Stream(bridge.port, "/live/order/7") for bridge in (first, second) for _ in range(5)]
    for stream in streams:
        stream.until(lambda s: s.newest and json.loads(s.newest)["n"] == 0, 3)
    assert len(backend.paths) == 2, backend.paths
    for n in range(1, 6):
        state["n"] = n
        assert published(redis, "order/7") == 2
        for stream in streams:
            stream.until(lambda s: json.loads(s.newest)["n"] == n, 3)
        assert len(backend.paths) == 2 + 2 * n, backend.paths
    assert set(backend.paths) == {"/internal/orders/7"}


@test
def a_burst_costs_each_instance_one_load_that_runs_and_one_that_waits(case):
    # contract 10.2: 1,000 publishes on one topic, as fast as they come
    state = {"n": 0}

    def slowly(_):
        n = state["n"]
        time.sleep(0.02)
        return text(str(n))

    backend = Backend(case, slowly)
    redis = case.redis()
    config = "loaders: [{ route: c, load: { get: '%s/c' } }]" % backend.url
    bridges = [serve(case, config, redis=redis, name="%d.yaml" % n) for n in (1, 2)]
    for bridge in bridges:
        until(bridge.ready)
    streams = [Stream(bridge.port, "/live/c").shows(0) for bridge in bridges]
    before = len(backend.paths)
    started = time.monotonic()
    with redis.client() as client:
        for n in range(1, 1001):
            state["n"] = n
            client.command("PUBLISH", "freshet:c", "")
    took = time.monotonic() - started
    for stream in streams:
        stream.shows(1000)
    loads = len(backend.paths) - before
    assert backend.most <= 2, "one of each instance, not %d" % backend.most
    assert loads <= 2 * (took / 0.02 + 3), "%d loads in %.2f s" % (loads, took)


@test
def hostile_parameters_stay_in_their_place(case):
    # contract 10.3
    backend = Backend(case, lambda request: text(request.path))
    redis = case.redis()
    redis.command("SET", "app:a b", "spaced")
    redis.command("SET", 'app:x\r\nDEL app:a b', "lines")
    config = """
loaders:
  - { route: "o/:id", load: { get: "%s/orders/{id}/lines?of={id}" }, shared: true }
  - { route: "tree/:path+", load: { get: "%s/tree/{path}" }, shared: true }
  - { route: "k/:id", load: { redis: [GET, "app:{id}"] }, shared: true }
""" % (backend.url, backend.url)
    bridge = serve(case, config, redis=redis)
    until(bridge.ready)
    for value in ("a/b", "x?y=z&a", "..%2f", "%2e%2e", "a#b", "'\"<>", "{id}", "http://evil/", "a b+c", "\u00e9\u2603",
                  "@127.0.0.1:1/", "\\..\\"):
        encoded = urllib.parse.quote(value, safe="!~*'()")
        with_stream = Stream(bridge.port, "/live/o/" + encoded)
        with_stream.shows("/orders/%s/lines?of=%s" % (encoded, encoded), 3)
        with_stream.close()
    for refused in (".", "..", "%2e", "%2E%2e"):
        assert bridge.get("/live/o/" + refused).status == 404
    assert bridge.get("/live/o/a%0d%0ab").status == 400
    Stream(bridge.port, "/live/tree/a/b%2Fc/d").shows("/tree/a/b%2Fc/d", 3)
    Stream(bridge.port, "/live/k/" + urllib.parse.quote("a b")).shows("spaced", 3)
    assert redis.command("GET", "app:a b") == b"spaced"


@test
def what_a_backend_says_of_an_error_is_never_shown(case):
    # contract 10.2
    state = {"status": 200, "body": "fine"}
    backend = Backend(case, lambda _: text(state["body"], state["status"], Location="/elsewhere"))
    redis = case.redis()
    bridge = serve(case, "loaders: [{ route: c, load: { get: '%s/c' }, shared: true }]" % backend.url, redis=redis)
    until(bridge.ready)
    stream = Stream(bridge.port, "/live/c").shows("fine")
    state["body"] = "Traceback: password=hunter2"
    for status, code in ((404, "not-found"), (403, "forbidden"), (418, "backend-refused"), (429, "busy"),
                         (500, "backend-error"), (302, "backend-unexpected"), (503, "backend-error")):
        state["status"] = status
        published(redis, "c")
        fails_with(stream, code)
    assert "hunter2" not in repr(stream.events), stream.events
    assert stream.newest == "fine"
    state.update(status=204, body="")
    published(redis, "c")
    stream.shows("null", 3)


@test
def a_backend_that_dies_and_comes_back(case):
    # contract 10.2
    state = {"n": 1}
    backend = Backend(case, lambda request: text(str(state["n"]), Connection="close"))
    redis = case.redis()
    bridge = serve(case, "loaders: [{ route: c, load: { get: '%s/c' }, shared: true }]" % backend.url, redis=redis)
    until(bridge.ready)
    stream = Stream(bridge.port, "/live/c").shows(1)
    backend.stop()
    state["n"] = 2
    published(redis, "c")
    fails_with(stream, "backend-down")
    assert stream.newest == "1"
    assert "route c: a load failed: backend-down: Couldn't connect to server" in bridge.log(), bridge.log()
    backend.start()
    stream.shows(2, 5)
    assert bridge.ready()


@test
def a_second_backend_is_asked_when_the_first_fails(case):
    # contract 10.2
    def answer_of(name):
        return lambda request: text(name, Connection="close")

    first, second = Backend(case, answer_of("first")), Backend(case, answer_of("second"))
    redis = case.redis()
    bridge = serve(case, "loaders: [{ route: c, load: { get: ['%s/c', '%s/c'] }, shared: true }]" % (first.url, second.url),
                   redis=redis)
    until(bridge.ready)
    stream = Stream(bridge.port, "/live/c").until(lambda s: s.newest)
    for _ in range(10):
        before = len(first.paths) + len(second.paths)
        published(redis, "c")
        until(lambda: len(first.paths) + len(second.paths) > before)
    assert first.paths and second.paths
    first.stop()
    asked = len(first.paths)
    for _ in range(10):
        before = len(second.paths)
        published(redis, "c")
        until(lambda: len(second.paths) > before)
        stream.shows("second", 3)
    assert error_of(stream) is None
    assert len(first.paths) == asked
    second.stop()
    published(redis, "c")
    fails_with(stream, "backend-down")
    first.start()
    stream.shows("first", 5)


@test
def what_has_not_changed_is_not_sent_again(case):
    # contract 10.2: ETag and 304
    state = {"n": 1}

    def answer(request):
        tag = '"v%d"' % state["n"]
        if request.headers.get("If-None-Match") == tag:
            return 304, {"ETag": tag}, b""
        return text(str(state["n"]), ETag=tag)

    backend = Backend(case, answer)
    redis = case.redis()
    bridge = serve(case, "loaders: [{ route: c, load: { get: '%s/c' }, shared: true }]" % backend.url, redis=redis)
    until(bridge.ready)
    stream = Stream(bridge.port, "/live/c").shows(1)
    published(redis, "c")
    until(lambda: len(backend.paths) == 2)
    assert backend.headers[1]["if-none-match"] == '"v1"'
    state["n"] = 2
    published(redis, "c")
    stream.shows(2)
    snapshots = [event.data for event in stream.events if not event.name]
    assert snapshots == ["1", "2"], snapshots
    stream.close()
    # A feed that begins has nothing yet.
    until(lambda: bridge.metric("freshet_streams") == 0)
    until(lambda: bridge.metric("freshet_topics") == 0, 5)
    Stream(bridge.port, "/live/c").shows(2)
    assert "if-none-match" not in backend.headers[-1]


@test
def bodies_and_times_are_bounded(case):
    # contract 10.2
    def answer(request):
        if request.path == "/slow":
            time.sleep(deadline(1))
        return text("x" * (1 << 20) + "y" if request.path == "/big" else request.path)

    backend = Backend(case, answer)
    config = """
loaders:
  - { route: big, load: { get: "%s/big" } }
  - { route: slow, load: { get: "%s/slow" }, timeout: 100ms }
  - { route: file, load: { file: "%s" } }
""" % (backend.url, backend.url, os.path.join(case.folder, "big"))
    write(os.path.join(case.folder, "big"), "x" * (1 << 20) + "y")
    bridge = serve(case, config)
    fails_with(Stream(bridge.port, "/live/big"), "too-large")
    fails_with(Stream(bridge.port, "/live/file"), "too-large")
    fails_with(Stream(bridge.port, "/live/slow"), "timeout")
    larger = serve(case, config + "max_snapshot_bytes: 2MiB\n", name="larger.yaml")
    for path in ("/live/big", "/live/file"):
        Stream(larger.port, path).until(lambda s: s.newest and len(s.newest) == (1 << 20) + 1, 3)


@test
def loads_of_those_who_left_are_given_up(case):
    # contract 10.2
    hold = threading.Event()
    backend = Backend(case, lambda _: (hold.wait(deadline(5)), text("late"))[1])
    bridge = serve(case, "loaders: [{ route: c, load: { get: '%s/c' }, shared: true, timeout: 1m }]" % backend.url)
    stream = Stream(bridge.port, "/live/c").opened()
    until(lambda: backend.running == 1)
    before = bridge.sockets()
    stream.close()
    until(lambda: bridge.sockets() <= before - 2, 3, "the stream's and the request's connections are closed")
    hold.set()


@test
def a_load_of_one_stream_brings_the_headers_of_its_request(case):
    # contract 10.3
    backend = Backend(case, lambda request: text("%s %s" % (request.headers.get("cookie"), request.headers.get("x-secret"))))
    bridge = serve(case, """
loaders:
  - { route: mine, load: { get: "%s/mine", forward: [cookie], headers: { x-secret: s } } }
""" % backend.url)
    first = Stream(bridge.port, "/live/mine", headers={"Cookie": "session=1", "X-Secret": "forged"})
    second = Stream(bridge.port, "/live/mine", headers={"Cookie": "session=2"})
    first.shows("session=1 s")
    second.shows("session=2 s")
    Stream(bridge.port, "/live/mine").shows("None s")


@test
def loads_are_shared_unless_they_have_something_of_a_client(case):
    # contract 10.3
    backend = Backend(case, lambda request: text(request.path))
    bridge = serve(case, """
loaders:
  - { route: "one/:id", load: { get: "%s/one/{id}" } }
  - { route: "each/:id", load: { get: "%s/each/{id}" }, shared: false }
  - { route: "mine/:id", load: { get: "%s/mine/{id}", forward: [cookie] } }
""" % (backend.url, backend.url, backend.url))
    for path, loads in (("one", 1), ("each", 4), ("mine", 4)):
        streams = [Stream(bridge.port, "/live/%s/7" % path) for _ in range(4)]
        for stream in streams:
            stream.shows("/%s/7" % path)
        assert backend.paths.count("/%s/7" % path) == loads, backend.paths


@test
def redis_gives_texts_hashes_and_lists(case):
    # contract 10.2
    redis = case.redis()
    redis.command("HSET", "user:7", "name", 'Ann "A"', "age", "7")
    redis.command("RPUSH", "log", "one", "two")
    redis.command("SET", "doc", '{"a":1}')
    bridge = serve(case, """
loaders:
  - { route: "user/:id", load: { redis: [HGETALL, "user:{id}"] }, shared: true }
  - { route: "name/:id", load: { redis: [HMGET, "user:{id}", name, city] }, shared: true }
  - { route: log, load: { redis: [LRANGE, log, "0", "-1"] }, shared: true }
  - { route: doc, load: { redis: [GET, doc] }, shared: true }
  - { route: none, load: { redis: [GET, nothing] }, shared: true }
  - { route: wrong, load: { redis: [GET, log] }, shared: true }
""", redis=redis)
    until(bridge.ready)
    user = Stream(bridge.port, "/live/user/7")
    user.until(lambda s: s.newest and json.loads(s.newest) == {"name": 'Ann "A"', "age": "7"}, 3)
    Stream(bridge.port, "/live/name/7").until(lambda s: s.newest and
                                              json.loads(s.newest) == {"name": 'Ann "A"', "city": None}, 3)
    Stream(bridge.port, "/live/log").shows('["one","two"]')
    Stream(bridge.port, "/live/doc").shows('{"a":1}')
    Stream(bridge.port, "/live/none").shows("null")
    fails_with(Stream(bridge.port, "/live/wrong"), "store-refused")
    assert "route wrong: a load failed: store-refused: WRONGTYPE" in bridge.log()
    redis.command("HSET", "user:7", "age", "8")
    published(redis, "user/7")
    user.until(lambda s: json.loads(s.newest)["age"] == "8")


@test
def files_are_read_and_never_others(case):
    # contract 10.2, 10.3
    folder = os.path.join(case.folder, "rooms")
    os.mkdir(folder)
    write(os.path.join(folder, "a%2Fb.json"), '{"room":"a/b"}')
    write(os.path.join(case.folder, "secret"), "secret")
    os.mkfifo(os.path.join(folder, "pipe.json"))
    redis = case.redis()
    bridge = serve(case, "loaders: [{ route: 'room/:room', load: { file: '%s/{room}.json' }, shared: true }]" % folder,
                   redis=redis)
    until(bridge.ready)
    stream = Stream(bridge.port, "/live/room/a%2Fb").shows('{"room":"a/b"}')
    fails_with(Stream(bridge.port, "/live/room/" + urllib.parse.quote("../secret", safe="")), "not-found")
    fails_with(Stream(bridge.port, "/live/room/none"), "not-found")
    fails_with(Stream(bridge.port, "/live/room/pipe"), "file-error")
    write(os.path.join(folder, "a%2Fb.json"), '{"room":"new"}')
    published(redis, "room/a%2Fb")
    stream.shows('{"room":"new"}')


@test
def messages_and_the_demo_are_there_when_the_file_says_so(case):
    redis = case.redis()
    bridge = serve(case, "loaders: [{ route: 'chat/:room', messages: true }]", redis=redis)
    until(bridge.ready)
    chat = Stream(bridge.port, "/live/chat/x").opened()
    until(lambda: redis.command("PUBSUB", "NUMSUB", "freshet:chat/x")[1] == 1)
    published(redis, "chat/x")
    chat.shows("null")
    assert bridge.get("/live/counter").status == 404
    assert bridge.post("/counter/increment").status == 404
    other = serve(case, "demo: true", redis=redis, name="demo.yaml")
    until(other.ready)
    assert other.increment() == 1


@test
def sighup_reads_the_file_again_and_streams_stay(case):
    # contract 10.4
    old, new = Backend(case, lambda _: text("old")), Backend(case, lambda _: text("new"))
    redis = case.redis()
    config = """
guard_interval: 1s
loaders:
  - { route: a, load: { get: "%s/a" } }
  - { route: b, load: { get: "%s/b" } }
"""
    bridge = serve(case, config % (old.url, old.url), redis=redis)
    until(bridge.ready)
    a, b = Stream(bridge.port, "/live/a").shows("old"), Stream(bridge.port, "/live/b").shows("old")

    write(bridge.config, "loaders: [{ route: a, laod: { get: 'http://h/' } }]")
    bridge.signal(signal.SIGHUP)
    until(lambda: "right would be load" in bridge.log() and "all stays as it is" in bridge.log())
    published(redis, "a")
    until(lambda: len(old.paths) == 3)

    write(bridge.config, """
guard_interval: 2s
loaders:
  - { route: a, load: { get: "%s/a" } }
  - { route: c, load: { get: "%s/c" } }
""" % (new.url, new.url))
    bridge.signal(signal.SIGHUP)
    until(lambda: "read again" in bridge.log())
    published(redis, "a")
    a.shows("new")
    assert bridge.get("/live/b").status == 404
    b.until(lambda s: any(event.name == "end" and json.loads(event.data)["code"] == "not-found" for event in s.events))
    assert not a.closed
    assert "route c is new" in bridge.log() and "guard_interval has changed" in bridge.log()

    write(bridge.config, config % (new.url, new.url))
    bridge.signal(signal.SIGHUP)
    until(lambda: bridge.log().count("read again") == 2)
    published(redis, "b")
    Stream(bridge.port, "/live/b").shows("new")
    assert not a.closed


@test
def a_loader_can_be_without_gzip(case):
    bridge = serve(case, "loaders: [{ route: plain, messages: true, gzip: false }, { route: packed, messages: true }]")
    ask = "GET /live/%s HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
    for route, packed in (("plain", False), ("packed", True)):
        head = exchange(bridge.port, (ask % route).encode(), stop=b"\r\n\r\n")
        assert (b"content-encoding: gzip" in head.lower()) == packed, head


def make_certificate(case):
    """Of localhost and 127.0.0.1, signed by itself; the paths of certificate and key."""
    cert, key = (os.path.join(case.folder, name) for name in ("cert.pem", "key.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", cert, "-days", "1", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return cert, key


@test
def a_backend_over_https_has_to_be_vouched_for(case):
    # contract 10.2
    cert, key = make_certificate(case)
    backend = Backend(case, lambda _: text("fine"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    backend.server.socket = context.wrap_socket(backend.server.socket, server_side=True)
    config = "loaders: [{ route: c, load: { get: 'https://127.0.0.1:%d/c' } }]\n" % backend.port
    fails_with(Stream(serve(case, config).port, "/live/c"), "backend-down")
    assert not backend.paths
    Stream(serve(case, config + "backend_ca: %s\n" % cert, name="ca.yaml").port, "/live/c").shows("fine", 3)


@test
def streams_over_tls(case):
    cert, key = make_certificate(case)
    redis = case.redis()
    redis.command("SET", "c", "7")
    bridge = serve(case, """
tls_certificate: %s
tls_key: %s
loaders: [{ route: c, load: { redis: [GET, c] }, shared: true }]
""" % (cert, key), redis=redis, wait=False)
    until(lambda: "listening on https://" in bridge.log(), 3)
    context = ssl.create_default_context(cafile=cert)
    with socket.create_connection(("127.0.0.1", bridge.port), timeout=deadline(1)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            connection.sendall(b"GET /live/c HTTP/1.1\r\nHost: localhost\r\n\r\n")
            got = b""
            while b"data: 7" not in got:
                piece = connection.recv(65536)
                assert piece, got
                got += piece
    write(key, "no key")
    other = serve(case, "tls_certificate: %s\ntls_key: %s\n" % (cert, key), name="other.yaml", wait=False)
    other.expected_exit = 2
    assert other.wait() == 2 and "tls_key" in other.log(), other.log()


@test
def check_config_says_what_is_wrong_and_options_override_the_file(case):
    # contract 10.1
    path = os.path.join(case.folder, "live.yaml")

    def check(config, *options):
        write(path, config)
        done = subprocess.run([BRIDGE, "--config", path, "--check-config", *options], capture_output=True, text=True,
                              timeout=deadline(3), check=False)
        return done.returncode, done.stdout, done.stderr

    good = "loaders: [{ route: c, load: { redis: [GET, c] } }]\n"
    status, _, err = check(good)
    assert status == 2 and "live.yaml:1: loaders[0]: redis needs a Redis" in err, err
    assert check(good, "--redis", "redis://127.0.0.1:1") == (0, path + ": right\n", "")
    for config, complaint in (
            ("redis: redis://h:0\n", ":1: redis: redis URL: "),
            ("loaders:\n- { route: a, load: { get: 'http://{id}/' } }\n", ":2: loaders[0].load: wrong value; right: scheme"),
            ("loaders:\n- { route: a, load: { get: 'http://h/{id}' } }\n", ":2: loaders[0].load: there is no value {id}"),
            ("loaders:\n- { route: 'a/:id', topic: 'b/:x', messages: true }\n", ":2: loaders[0]: loader a.id: parameter"),
            ("loaders:\n- { route: 'a/:b-c', messages: true }\n", ":2: loaders[0]: channel "),
            ("loaders:\n- { route: a, messages: true, use: [nobody] }\n", ":2: loaders[0]: there is no guard nobody"),
            ("loaders:\n- { route: a, load: { get: http://h/, forward: [cookie] }, shared: true }\n",
             ":2: loaders[0]: a load for many has no request"),
            ("guards: { g: { ask: http://h/ } }\nloaders:\n- { route: 'a/:user', load: { file: '/{user}' }, per: user, use: g }\n",
             ":3: loaders[0]: the route has a parameter user, too"),
            ("loaders:\n- { route: a, load: { file: /x }, shared: false, cache: true }\n",
             ":2: loaders[0]: a load of one stream is not cached"),
            ("loaders:\n- { route: a, load: { get: http://h/, forward: [host] } }\n",
             ":2: loaders[0].load.forward: wrong value; right is up to 16 names of headers"),
            ("loaders:\n- { route: a, load: { file: /x, forward: [cookie] } }\n",
             ":2: loaders[0].load: headers and forward go with get only"),
            ("listen: 127.0.0.1:1\nbackend_ca: /nowhere\n", ":2: --backend-ca (backend_ca): No such file"),
            ("tls_certificate: /nowhere\n", "--tls-certificate and --tls-key go together")):
        status, out, err = check(config)
        assert status == 2 and out == "" and complaint in err, (config, err)
    bridge = serve(case, "max_streams: 0\nlisten: 127.0.0.1:1\nprefix: 'file:'\n" +
                   "loaders: [{ route: c, messages: true }]\n", "--prefix", "given:", redis=case.redis())
    until(bridge.ready)
    assert request(bridge.port, "GET", "/health/live").status == 200


if __name__ == "__main__":
    main()
