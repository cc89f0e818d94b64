"""The HTTP surface and the command line of freshet-bridge (issue 2, contract 1.1, 4.10, 5, 8)."""
import json
import os
import re
import signal
import socket
import subprocess

from support import AGENT, BRIDGE, BUILD, TOP, Process, counted, deadline, exchange, free_port, main, test, until
from streams import Stream


def command_line(*arguments, env=None):
    return subprocess.run([BRIDGE, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=deadline(1), env={**os.environ, **(env or {})}, check=False)


@test
def the_page_is_html(case):
    bridge = case.bridge()
    page = bridge.get("/")
    assert page.status == 200 and page.headers["content-type"].startswith("text/html"), page
    assert b"<html" in page.body and b"<script" in page.body


@test
def a_stream_has_the_headers_of_the_contract(case):
    # contract 5.1
    stream = Stream(case.bridge().port, "/live/counter").shows(0)
    assert stream.status == 200
    expected = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store, no-transform",
                "x-accel-buffering": "no", "x-content-type-options": "nosniff"}
    for name, value in expected.items():
        assert stream.headers.get(name) == value, (name, stream.headers)
    assert stream.comments[0].strip().startswith("freshet 1 heartbeat="), stream.comments
    assert stream.retry_ms is not None
    assert len(stream.events[0].id) == 32 and set(stream.events[0].id) <= set("0123456789abcdef")


@test
def an_increment_answers_the_count_and_reaches_the_stream(case):
    bridge = case.bridge()
    stream = Stream(bridge.port, "/live/counter").shows(0)
    answer = bridge.post("/counter/increment")
    assert answer.status == 200 and "json" in answer.headers["content-type"], answer
    assert counted(answer.body) == 1
    stream.shows(1)
    assert bridge.increment() == 2
    stream.shows(2)


@test
def a_board_shows_its_tasks_and_their_moves(case):
    bridge = case.bridge()
    stream = Stream(bridge.port, "/live/board/b1")
    stream.until(lambda s: s.newest)
    assert json.loads(stream.newest) == {"boardId": "b1", "tasks": []}
    added = bridge.add_task("b1", "write \"quotes\" <b> \\ and \u00fc")
    stream.until(lambda s: json.loads(s.newest)["tasks"])
    task = json.loads(stream.newest)["tasks"][0]
    assert task["title"] == "write \"quotes\" <b> \\ and \u00fc"
    assert task == added, (task, added)
    before = stream.newest
    assert bridge.post("/board/b1/tasks/%s/move" % task["id"], {"to": "done"}).status == 200
    stream.until(lambda s: s.newest != before)
    assert json.loads(stream.newest)["tasks"] == [{**task, "column": "done"}]


@test
def boards_do_not_see_each_other(case):
    bridge = case.bridge()
    other = Stream(bridge.port, "/live/board/b2").until(lambda s: s.newest)
    bridge.add_task("b1", "mine")
    bridge.add_task("b2", "yours")
    other.until(lambda s: json.loads(s.newest)["tasks"])
    assert [t["title"] for t in json.loads(other.newest)["tasks"]] == ["yours"]


@test
def a_bad_body_is_refused_and_its_field_named(case):
    bridge = case.bridge()
    move = "/board/b1/tasks/%s/move" % bridge.add_task("b1", "there")["id"]
    cases = [("/board/b1/tasks", "{}", b"title"), ("/board/b1/tasks", '{"title":7}', b"title"),
             ("/board/b1/tasks", '{"title":""}', b"title"), ("/board/b1/tasks", "[]", b""),
             ("/board/b1/tasks", "{", b""), ("/board/b1/tasks", "", b""),
             ("/board/b1/tasks", '{"title":"x"} trailing', b""), (move, "{}", b"to"), (move, '{"to":[]}', b"to")]
    for path, body, field in cases:
        answer = bridge.post(path, body)
        assert 400 <= answer.status < 500, (path, body, answer)
        assert isinstance(json.loads(answer.body), dict) and field in answer.body, (path, body, answer)
    # No page of another site can send this type without being asked (CORS).
    assert bridge.post("/board/b1/tasks", '{"title":"x"}', {"Content-Type": "text/plain"}).status == 415
    answer = bridge.post("/board/b1/tasks/no-such-task/move", {"to": "done"})
    assert 400 <= answer.status < 500, answer


@test
def a_body_that_is_too_long_is_refused(case):
    bridge = case.bridge()
    answer = bridge.post("/board/b1/tasks", {"title": "x" * 200000})
    assert 400 <= answer.status < 500, answer
    assert bridge.get("/health/live").status == 200


@test
def other_methods_and_media_types_are_refused(case):
    # contract 5.1
    bridge = case.bridge()
    answer = bridge.post("/live/counter")
    assert answer.status == 405 and "GET" in answer.headers["allow"], answer
    answer = bridge.get("/live/counter", {"Accept": "text/html"})
    assert answer.status == 406 and json.loads(answer.body)["code"], answer
    head = b"GET /live/counter HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
    assert exchange(bridge.port, head).startswith(b"HTTP/1.1 400")


def ask(port, host, head="GET /health/live", more=""):
    """The status of a request with this Host; None leaves it out."""
    line = "" if host is None else "Host:%s\r\n" % host
    got = exchange(port, ("%s HTTP/1.1\r\n%sConnection: close\r\n%s\r\n" % (head, line, more)).encode(), b"\r\n\r\n")
    return int(got.split(b" ")[1])


@test
def no_page_of_another_host_reads_or_posts(case):
    # contract 5.9: a name that somebody let point here (DNS rebinding) makes page and server one origin
    bridge = case.bridge()
    rebound = "evil.test:%d" % bridge.port
    origin = "Origin: http://%s\r\n" % rebound
    for head in ("GET /", "GET /live/counter", "GET /live?v=%2Fcounter~", "GET /live", "GET /freshet.js", "GET /metrics",
                 "GET /health/live", "GET /nothing", "HEAD /", "OPTIONS /counter/increment", "POST /counter/increment",
                 "POST /live/counter"):
        assert ask(bridge.port, rebound, head, origin) == 421, head
    task = json.dumps({"title": "mine"})
    answer = bridge.post("/board/b1/tasks", task, {"Host": rebound, "Origin": "http://" + rebound})
    assert answer.status == 421 and answer.headers["content-type"] == "application/json", answer
    refusal = json.loads(answer.body)
    assert refusal["code"] == "wrong-host" and refusal["field"] == "host" and "--allow-host" in refusal["error"]
    Stream(bridge.port, "/live/counter").shows(0)
    assert json.loads(Stream(bridge.port, "/live/board/b1").until(lambda s: s.newest).newest)["tasks"] == []


@test
def addresses_and_own_names_are_right_hosts(case):
    # contract 5.9: Kubernetes asks a probe of the pod's address; a tunnel or a container has another port outside, and a
    # service of one network a name without dots
    bridge = case.bridge("--allow-host", "live.example.org,Box")
    right = ["127.0.0.1", "127.0.0.1:1", "localhost", "LocalHost:%d" % bridge.port, "localhost.", "localhost:",
             "bridge-a", "x:8080", "db_1", "[::1]", "[::1]:80", "10.1.2.3", "10.1.2.3:8080", "[2001:db8::1]:80", "live.example.org",
             "LIVE.example.org.:443", "box:1", None]
    wrong = ["evil.test", "localhost.evil.test", "evil.test:%d" % bridge.port, "127.0.0.1.evil.test",
             "live.example.org.evil.test", "evil.live.example.org", "user@localhost", "localhost@evil.test",
             "localhost:80@evil.test", "localhost/evil.test", "localhost,evil.test", "localhost evil.test", "localhost..",
             "localhost:80:80", "localhost:x", "", ":80", ".", "[]", "[::1", "::1", "[evil.test]", "[::1]evil.test",
             "127.0.0.1.2", "127.1", "127.0.0.1%00", "*", "\xe9vil.test", "a" * 300]
    assert [host for host in right if ask(bridge.port, host if host is None else " " + host) != 200] == []
    assert [host for host in wrong if ask(bridge.port, " " + host) != 421] == []
    # Of several, h2o keeps the last: it is the one that all of the program goes by. No browser sends two.
    assert ask(bridge.port, " localhost\r\nHost: evil.test") == 421
    assert exchange(bridge.port, b"GET /health/live HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


@test
def a_name_where_it_listens_is_a_right_host(case):
    named = command_line("--listen", "localhost:0", "--allow-host", "a:1")
    assert named.returncode == 2 and "--allow-host" in named.stderr
    machine = socket.gethostname()
    bridge = case.bridge("--listen", "0.0.0.0:%d" % free_port(), wait=False)
    port = until(lambda: re.search(r"listening on \S+:(\d+)", bridge.log()))[1]
    assert ask(int(port), " " + machine) == 200 and ask(int(port), " not.%s.test" % machine) == 421
    bridge.port = int(port)
    open_to_all = case.bridge(env={"FRESHET_ALLOW_HOST": "*"})
    assert ask(open_to_all.port, " anything.example") == 200


@test
def a_request_hidden_in_a_body_is_not_run_and_a_plain_body_keeps_the_connection(case):
    # contract 5.1
    bridge = case.bridge()
    hidden = b"POST /counter/increment HTTP/1.1\r\nHost: x\r\n\r\n"
    for path in (b"/live", b"/live/counter", b"/live/nothing", b"/counter/increment", b"/nothing", b"/freshet.js"):
        got = exchange(bridge.port, b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: %d\r\n\r\n"
                       % (path, len(hidden)) + hidden)
        assert got.startswith(b"HTTP/1.1 400") and got.count(b"HTTP/1.1 ") == 1, (path, got)
    Stream(bridge.port, "/live/counter").shows(0)
    body = b'{"title": "kept"}'
    add = (b"POST /board/b1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
           % len(body) + body)
    got = exchange(bridge.port, add + add + b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert got.count(b"HTTP/1.1 2") == 3, got


@test
def paths_are_matched_raw_and_decoded_once(case):
    # contract 4.10
    bridge = case.bridge()
    expected = {"/live/nothing": 404, "/nothing": 404, "/live/../live/counter": 404,
                "/zzz/%2e%2e/live/counter": 404, "/live%2Fcounter": 404, "/live/board/%2e%2e": 404,
                "/live/board/%zz": 400, "/live/board/%ff": 400, "/live/board/%00": 400}
    for path, status in expected.items():
        got = exchange(bridge.port, b"GET " + path.encode() + b" HTTP/1.0\r\n\r\n")
        assert int(got.split(b" ")[1]) == status, (path, status, got)
    for path in ("/live", "/live/", "/live/nothing"):
        answer = bridge.get(path)
        assert answer.status == 404 and json.loads(answer.body) == {"code": "not-found"}, answer
    odd = Stream(bridge.port, "/live/board/a%2Fb%20%3f?x=1").until(lambda s: s.newest)
    assert json.loads(odd.newest)["boardId"] == "a/b ?"


@test
def a_client_that_comes_back_with_the_current_version_gets_no_bytes(case):
    # contract 5.3
    bridge = case.bridge()
    first = Stream(bridge.port, "/live/counter").shows(0)
    again = Stream(bridge.port, "/live/counter", {"Last-Event-ID": first.events[0].id})
    again.until(lambda s: len(s.comments) > 1, what="a comment instead of the bytes")
    assert again.events == []
    bridge.increment()
    again.shows(1)
    assert again.snapshots == 1


@test
def an_idle_stream_gets_comments(case):
    # contract 5.4: after 15 s by default; the first comment says how often
    stream = Stream(case.bridge().port, "/live/counter").shows(0)
    seen = len(stream.comments)
    stream.until(lambda s: len(s.comments) > seen, 3)


@test
def http_1_0_gets_a_body_without_chunks(case):
    # contract 5.6
    bridge = case.bridge()
    stream = Stream(bridge.port, "/live/counter", version="1.0").shows(0)
    assert stream.chunks is None and "transfer-encoding" not in stream.headers
    bridge.increment()
    stream.shows(1)


@test
def http_2_is_not_offered_and_harms_nothing(case):
    # contract 5.6, stack.md 0.1: the preface, the upgrade, and a preface with frames behind it
    bridge = case.bridge()
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings, window = b"\0\0\0\4\0\0\0\0\0", b"\0\0\4\x08\0\0\0\0\1\0\0\0\1"
    for data in (preface, preface + settings + window * 50):
        got = exchange(bridge.port, data)
        assert not got or got.startswith(b"HTTP/1"), got[:80]
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    stream = Stream(bridge.port, "/live/counter", upgrade).shows(0)
    assert stream.status == 200
    assert bridge.running() and bridge.get("/health/live").status == 200


@test
def metrics_and_health_are_served(case):
    # contract 8.1
    bridge = case.bridge()
    until(bridge.ready)
    assert bridge.get("/health/live").status == 200
    page = bridge.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    types = [line for line in page.body.decode().splitlines() if line.startswith("# TYPE ")]
    assert len(types) == len(set(types)) > 20, types
    assert all(line.split()[2].startswith("freshet_") for line in types), types
    promtool("check", "metrics", text=page.body)


def promtool(*arguments, text=b""):
    """Prometheus's own word on names, units and help; it warns with a status, too."""
    done = subprocess.run(["promtool", *arguments], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()


@test
def what_monitors_a_bridge_asks_for_metrics_that_there_are(case):
    folder = os.path.join(TOP, "bridge", "monitoring")
    promtool("check", "rules", os.path.join(folder, "alerts.yml"))
    promtool("test", "rules", os.path.join(TOP, "test", "e2e", "alerts_test.yml"))
    told = {key.split("{")[0] for key in case.bridge().metrics()}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            asked = set(re.findall(r"\bfreshet_\w+", file.read()))
        assert asked and asked <= told, (name, asked - told)


@test
def a_wrong_option_says_which_and_what_would_be_right(case):
    secret = "redis://user:geheim-7@127.0.0.1:1"
    cases = [(["--lisen", "127.0.0.1:1"], {}, "--lisen"), (["--listen", "nowhere"], {}, "--listen"),
             (["--listen", "127.0.0.1:99999"], {}, "--listen"), (["--threads", "0x"], {}, "--threads"),
             (["--threads", "-1"], {}, "--threads"), (["--log-level", "loud"], {}, "--log-level"),
             (["--redis", "http://user:geheim-7@x"], {}, "--redis"), (["--redis", secret + "/x/y"], {}, "redis URL"),
             (["--redis"], {}, "--redis"), (["stray"], {}, "is not an option"), ([], {"FRESHET_THREADS": "many"}, "THREADS"),
             ([], {"FRESHET_REDIS": "user:geheim-7@x"}, "REDIS")]
    for arguments, env, named in cases:
        answer = command_line(*arguments, env=env)
        text = answer.stdout + answer.stderr
        assert answer.returncode == 2, (arguments, env, answer)
        assert named in text and "geheim" not in text, (arguments, env, text)


@test
def help_and_version_are_answered(case):
    answer = command_line("--help")
    assert answer.returncode == 0
    for option in ("--listen", "--redis", "--prefix", "--threads", "--log-level", "--allow-host", "--version",
                   "FRESHET_"):
        assert option in answer.stdout, option
    answer = command_line("--version")
    assert answer.returncode == 0 and answer.stdout.strip().split()[-1].count(".") == 2, answer


@test
def manual_pages_have_every_option(_case):
    for program, page in ((BRIDGE, "bridge/man/freshet-bridge.1"), (AGENT, "bridge/man/freshet-agent.1"),
                          (os.path.join(BUILD, "bench", "freshet-bench"), "bench/man/freshet-bench.1")):
        told = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
        with open(os.path.join(TOP, page), encoding="utf-8") as file:
            text = re.sub(r'\\f.|"', " ", file.read().replace("\\-", "-"))
        options = set(re.findall(r"^  (--[a-z-]+)", told, re.M))
        missing = [name for name in options if not re.search(r"^\.BR? .*%s(?![a-z-])" % name, text, re.M)]
        assert len(options) > 5 and not missing, (page, missing)


@test
def options_come_from_the_environment_too(case):
    port = free_port()
    bridge = case.bridge(wait=False, env={"FRESHET_THREADS": "3", "FRESHET_LOG_LEVEL": "debug"})
    until(bridge.live)
    # An option on the command line wins.
    other = case.bridge(wait=False, env={"FRESHET_LISTEN": "127.0.0.1:%d" % port})
    until(other.live)


ACTIVATE = 'exec 3<&0 </dev/null; LISTEN_PID=${LISTEN_PID:-$$} exec "$0" "$@"'


def activated(case, name, socket_, count="1", pid=None):
    """A bridge whose descriptor 3 is what systemd would hand it."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("FRESHET_")}
    env["LISTEN_FDS"] = count
    if pid is not None:
        env["LISTEN_PID"] = pid
    process = Process(["sh", "-c", ACTIVATE, BRIDGE, "--listen", "127.0.0.1:0"], os.path.join(case.folder, name),
                      env=env, stdin=socket_)
    case.defer(process.kill)
    return process


@test
def a_socket_that_is_handed_over_is_served_by_one_bridge_after_the_other(case):
    # contract 6.4
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        first = activated(case, "first", listening)
        until(lambda: "listening on http://127.0.0.1:%d\n" % port in first.log())
        stream = Stream(port, "/live/counter").shows(0)
        first.signal(signal.SIGTERM)
        stream.until(lambda it: it.end is not None, 3)
        assert first.wait(3) == 0, first.log()
        # Nobody serves now, and a client is not refused.
        with socket.create_connection(("127.0.0.1", port), timeout=deadline(3)) as waiting:
            waiting.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            second = activated(case, "second", listening)
            assert waiting.recv(12) == b"HTTP/1.1 200"
        second.signal(signal.SIGTERM)
        assert second.wait(3) == 0, second.log()


@test
def what_is_handed_over_and_is_no_listening_socket_is_said(case):
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as idle:
        for name, given, count, says in [
                ("two", listening, "2", "LISTEN_FDS is 2: one socket is expected"),
                ("idle", idle, "1", "descriptor 3 is no socket that listens on a TCP port"),
                ("null", subprocess.DEVNULL, "1", "descriptor 3 is no socket that listens on a TCP port")]:
            process = activated(case, name, given, count)
            assert process.wait() == 2 and says in process.log(), process.log()
        # Meant for another process: this one listens where its options say.
        other = activated(case, "other", listening, pid="1")
        until(lambda: "listening on http://127.0.0.1:" in other.log())
        assert ":%d\n" % listening.getsockname()[1] not in other.log()
        other.signal(signal.SIGTERM)
        assert other.wait(3) == 0, other.log()


@test
def a_port_that_is_taken_is_said(case):
    bridge = case.bridge()
    answer = command_line("--listen", "127.0.0.1:%d" % bridge.port)
    assert answer.returncode not in (0, None) and str(bridge.port) in answer.stdout + answer.stderr, answer


if __name__ == "__main__":
    main()
