"""The front proxies' own configurations, run for real, and the compose file (issue 2; contract 5.1, 5.8, 7.5)."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import yaml

from support import BRIDGE, SANITIZE, TOP, free_port, main, request, test, until
from streams import Crowd, Stream

BRIDGE_FOLDER = os.path.join(TOP, "bridge")
SEVERAL = "/live?v=%2Fcounter~&v=%2Fboard%2Fdemo~"


def replace(text, pattern, new, count):
    text, found = re.subn(pattern, new, text, flags=re.M)
    assert found == count, "%d of %s, not %d" % (found, pattern, count)
    return text


def start(case, name, own, port, instances, arguments):
    """The same file with the addresses of the containers replaced by those of the test."""
    with open(os.path.join(BRIDGE_FOLDER, name), encoding="utf-8") as source:
        text = own(source.read())
    servers = iter(instances)
    text = replace(text, r"(^\s*server\s.*?)[\w.-]+:\d+", lambda m: "%s127.0.0.1:%d" % (m[1], next(servers).port),
                   len(instances))
    path = os.path.join(case.folder, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    process = case.run(arguments + [path])
    case.defer(stop, process)

    def answers():
        assert process.running(), process.log()
        return request(port, "GET", "/health/live").status == 200

    until(answers, 2)
    return port


def stop(process):
    """Killed at once, it would leave its workers behind."""
    process.signal(signal.SIGTERM)
    process.wait(2)


def nginx(case, instances, more=""):
    """`more` is for the location of the streams."""
    folder, port = case.folder, free_port()
    temporary = "".join("%s_temp_path %s/%s;\n" % (name, folder, name)
                        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))

    def own(text):
        text = replace(text, r"listen\s+[^;]+;", "listen 127.0.0.1:%d;" % port, 1)
        text = replace(text, r"^(pid|error_log)\s[^;]*;", "", 2)
        text = replace(text, r"^http \{", "http {\n" + temporary, 1)
        text = replace(text, r"location /live \{", "location /live {\n" + more, 1)
        return "pid %s/pid;\nerror_log %s/error.log;\ndaemon off;\n" % (folder, folder) + text

    return start(case, "nginx.conf", own, port, instances,
                 ["/usr/sbin/nginx", "-p", folder, "-e", folder + "/error.log", "-c"])


def haproxy(case, instances):
    port = free_port()
    return start(case, "haproxy.cfg", lambda text: replace(text, r"bind .*", "bind 127.0.0.1:%d" % port, 1), port,
                 instances, ["/usr/sbin/haproxy", "-f"])


def behind_proxies(case):
    redis = case.redis()
    instances = [case.bridge(redis=redis) for _ in range(2)]
    for instance in instances:
        until(instance.ready)
    return redis, instances, [nginx(case, instances), haproxy(case, instances)]


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def published(case, port):
    """Another port for the same, as a container's is published: the proxy does not know its number."""
    listener = socket.create_server(("127.0.0.1", 0))
    case.defer(listener.close)

    def serve():
        while True:
            try:
                outside = listener.accept()[0]
                inside = socket.create_connection(("127.0.0.1", port))
            except OSError:
                return
            for pair in ((outside, inside), (inside, outside)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def newest(stream, view):
    """What the view shows on a stream of several: its version stands before the data."""
    shown = [event.data.split("\n", 1)[1] for event in stream.events if event.name == view and "\n" in event.data]
    return shown[-1] if shown else None


@test
def streams_through_the_proxy_are_not_buffered(case):
    _, _, ports = behind_proxies(case)
    count = 0
    for port in ports:
        stream = Stream(port, "/live/counter").shows(count)
        times = []
        for count in range(count + 1, count + 11):
            began = time.monotonic()
            assert request(port, "POST", "/counter/increment").status == 200
            stream.shows(count)
            times.append(time.monotonic() - began)
        # haproxy without its option holds each of them for 200 ms.
        assert min(times) < 0.1, times


# What stands in a location replaces all that stands outside.
GUNZIP = """gunzip on;
            proxy_set_header Accept-Encoding gzip;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
"""


# contract 5.11
@test
def streams_in_gzip_are_passed_on_or_unpacked(case):
    redis = case.redis()
    instances = [case.bridge("--threads", "1", redis=redis) for _ in range(2)]
    for number in range(60):
        instances[0].add_task("b1", "Look at number %d again" % (number * 7919))
    asked = {"Accept-Encoding": "gzip"}
    streams = [Stream(nginx(case, instances), "/live/board/b1", asked),
               Stream(haproxy(case, instances), "/live/board/b1", asked),
               Stream(nginx(case, instances, GUNZIP), "/live/board/b1")]
    for stream in streams:  # what comes next is sent against this
        stream.until(lambda s: s.newest, what="60 tasks")
    for number in range(61, 66):
        title = instances[0].add_task("b1", "One more")["title"]
        for stream in streams:
            stream.until(lambda s: s.newest and s.newest.count(title) == number - 60, what="%d tasks" % number)
    encodings = [stream.headers.get("content-encoding") for stream in streams]
    assert encodings == ["gzip", "gzip", None], encodings
    assert sum(instance.metric("freshet_streams_gzip_total") for instance in instances) == 3
    continued = [instance.metric("freshet_gzip_continued_total") for instance in instances]
    assert sum(continued) >= 5, continued


@test
def several_views_take_one_request_on_any_port_outside(case):
    # contract 5.8: nginx's own redirect from /live to /live/ would name the port inside
    _, _, ports = behind_proxies(case)
    for port in ports:
        outside = published(case, port)
        origin = {"Host": "127.0.0.1:%d" % outside, "Origin": "http://127.0.0.1:%d" % outside}
        stream = Stream(outside, SEVERAL)
        stream.until(lambda s: s.status)
        assert stream.status == 200, (stream.status, stream.headers)
        stream.until(lambda s: newest(s, "/board/demo") and newest(s, "/counter"))
        answer = request(outside, "POST", "/counter/increment", headers=origin)
        assert answer.status == 200, answer
        stream.until(lambda s: newest(s, "/counter").encode() in answer.body)
        for path in ("/", "/freshet.js", "/demo/config", "/live/counter"):
            head = request(outside, "HEAD", path)
            assert head.status == (405 if path == "/live/counter" else 200) and head.headers["location"] is None, (path, head)
        stream.close()


@test
def a_page_with_64_views_fits_through_the_proxy(case):
    # contract 5.8: with the versions held, as a reconnect sends them
    _, _, ports = behind_proxies(case)
    views = ["/board/%s-%d" % ("x" * 120, number) for number in range(64)]
    path = "/live?" + "&".join("v=%s~%s" % (view.replace("/", "%2F"), "0" * 32) for view in views)
    assert len(path) > 10000
    for port in ports:
        stream = Stream(port, path)
        stream.until(lambda s: all(newest(s, view) for view in views), what="all views are shown")


@test
def the_proxy_spreads_browsers_over_both_instances(case):
    _, instances, ports = behind_proxies(case)
    for port in ports:
        crowd = Crowd().open(100, [port], "/live/counter")
        crowd.until(lambda: crowd.all_show(0))
        for instance in instances:
            until(lambda: instance.metric("freshet_streams") >= 20)
        count = instances[0].increment()
        crowd.until(lambda: crowd.all_show(count))
        crowd.close()
        for instance in instances:
            until(lambda: instance.metric("freshet_streams") == 0, 0.2, what="the proxy passes on that clients left")


@test
def the_proxy_keeps_serving_when_redis_is_down(case):
    # contract 7.5: it routes by liveness
    redis, instances, ports = behind_proxies(case)
    streams = [Stream(port, "/live/counter").shows(0) for port in ports]
    redis.kill()
    until(lambda: not any(i.ready() for i in instances), 6)
    for port in ports:
        assert request(port, "GET", "/health/live").status == 200
        assert Stream(port, "/live/counter").opened().status == 200
    assert not any(stream.closed for stream in streams)
    redis.start()
    count = until(instances[0].increment, 3)
    for stream in streams:
        stream.shows(count)


@test
def the_proxy_sends_a_client_to_the_instance_that_is_left(case):
    _, (a, b), ports = behind_proxies(case)
    a.stop()
    for port in ports:
        for _ in range(4):
            Stream(port, "/live/counter").shows(0).close()
    assert until(b.increment) == 1


@test
def the_compose_file_has_its_services_and_checks_liveness(_case):
    with open(os.path.join(TOP, "docker-compose.yml"), encoding="utf-8") as source:
        services = yaml.safe_load(source)["services"]
    bridges = {name: s for name, s in services.items() if "build" in s or "--listen" in str(s.get("command"))}
    proxies = {name: s for name, s in services.items() if "nginx" in str(s)}
    assert any(re.match(r"redis:", str(s.get("image"))) or "redis" in name for name, s in services.items())
    bridges = {name: s for name, s in bridges.items() if name not in proxies and not name.startswith("redis")}
    assert len(bridges) == 2, sorted(bridges)
    assert len(proxies) == 1, sorted(proxies)
    for name, service in bridges.items():
        check = str(service.get("healthcheck", {}).get("test"))
        assert "/health/live" in check and "/health/ready" not in check, (name, check)
    assert all("ports" not in service for service in bridges.values()), "browsers come through the proxy"
    for name in ("nginx.conf", "haproxy.cfg"):
        with open(os.path.join(BRIDGE_FOLDER, name), encoding="utf-8") as source:
            upstream = set(re.findall(r"^\s*server\s.*?([\w.-]+):\d+", source.read(), re.M))
        assert upstream == set(bridges), (name, upstream, set(bridges))


@test
def the_compose_file_has_no_older_nginx_than_is_packaged(_case):
    with open(os.path.join(TOP, "docker-compose.yml"), encoding="utf-8") as source:
        image = re.search(r"image: nginx:(\d+)\.(\d+)", source.read())
    said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    assert numbers(image) >= numbers(re.search(r"nginx/(\d+)\.(\d+)", said)), said


def numbers(match):
    return [int(group) for group in match.groups()]


@test
def the_docker_file_ends_with_what_the_program_needs_and_no_more(_case):
    with open(os.path.join(BRIDGE_FOLDER, "Dockerfile"), encoding="utf-8") as source:
        text = source.read()
    assert re.findall(r"^FROM\s+(\S+)", text, re.M) == ["debian:bookworm-slim", "scratch"]
    for path in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M):
        assert all(os.path.exists(os.path.join(TOP, name)) for name in path.split()), path


@test
def the_image_runs_by_itself(case):
    """Its files are the only ones that the program finds; asked by its own check of health."""
    if SANITIZE:  # a sanitizer wants /proc, which docker gives and this does not
        return
    image = os.path.join(case.folder, "image")
    # Who is not root may be it in a namespace, which can't be had below a chroot.
    inside = ["chroot", image] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--root=" + image]
    subprocess.run([os.path.join(BRIDGE_FOLDER, "image-tree"), BRIDGE, image], check=True)
    port = free_port()
    bridge = case.run([*inside, "/usr/local/bin/freshet-bridge", "--listen", "127.0.0.1:%d" % port])
    until(lambda: request(port, "GET", "/health/live").status == 200)
    with open(os.path.join(TOP, "docker-compose.yml"), encoding="utf-8") as source:
        check = yaml.safe_load(source)["x-bridge"]["healthcheck"]["test"]
    with open(os.path.join(BRIDGE_FOLDER, "Dockerfile"), encoding="utf-8") as source:
        assert check == ["CMD", *json.loads(re.search(r"CMD (\[.*\])", source.read()).group(1))]
    ask = [*inside, *[word.replace("8080", str(port)) for word in check[1:]]]
    subprocess.run(ask, check=True)
    bridge.signal(signal.SIGTERM)
    assert bridge.wait(3) == 0, bridge.log()
    assert subprocess.run(ask, stderr=subprocess.DEVNULL, check=False).returncode == 1


if __name__ == "__main__":
    main()
