"""The front proxy's own configuration, run for real, and the compose file (issue 2; contract 5.1, 7.5)."""
import os
import re
import signal

import yaml

from support import TOP, free_port, main, request, test, until
from streams import Crowd, Stream

CONFIGURATION = os.path.join(TOP, "bridge", "nginx.conf")


def for_this_machine(text, folder, port, instances):
    """The same file with the addresses of the containers replaced by those of the test."""
    text, listens = re.subn(r"listen\s+[^;]+;", "listen 127.0.0.1:%d;" % port, text)
    assert listens == 1, "one listen in nginx.conf, not %d" % listens
    servers = iter(instances)
    text, count = re.subn(r"(^\s*server\s+)[\w.-]+:\d+", lambda m: "%s127.0.0.1:%d" % (m[1], next(servers).port),
                          text, flags=re.M)
    assert count == len(instances), "%d servers upstream" % count
    text = re.sub(r"(?m)^\s*(user|pid|error_log|access_log|daemon|resolver)\s[^;]*;", "", text)
    own = "pid %s/pid;\nerror_log %s/error.log;\ndaemon off;\n" % (folder, folder)
    temporary = "".join("%s_temp_path %s/%s;\n" % (name, folder, name)
                        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text, count = re.subn(r"(?m)^\s*http\s*\{", "http {\naccess_log off;\n" + temporary, text)
    assert count == 1
    return own + text


def stop(process):
    """Killed at once, it would leave its workers behind."""
    process.signal(signal.SIGTERM)
    process.wait(2)


def proxy(case, instances):
    folder = os.path.join(case.folder, "nginx")
    os.mkdir(folder)
    port = free_port()
    with open(CONFIGURATION, encoding="utf-8") as source:
        text = for_this_machine(source.read(), folder, port, instances)
    path = os.path.join(folder, "nginx.conf")
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    process = case.run(["/usr/sbin/nginx", "-p", folder, "-c", path, "-e", folder + "/error.log"])
    case.defer(stop, process)

    def answers():
        assert process.running(), process.log()
        return request(port, "GET", "/health/live").status == 200

    until(answers, 2)
    return port


def behind_proxy(case):
    redis = case.redis()
    instances = [case.bridge(redis=redis) for _ in range(2)]
    for instance in instances:
        until(instance.ready)
    return redis, instances, proxy(case, instances)


@test
def streams_through_the_proxy_are_not_buffered(case):
    _, _, port = behind_proxy(case)
    stream = Stream(port, "/live/counter").shows(0)
    for count in range(1, 11):
        assert request(port, "POST", "/counter/increment").status == 200
        stream.shows(count)


@test
def the_proxy_spreads_browsers_over_both_instances(case):
    _, instances, port = behind_proxy(case)
    crowd = Crowd().open(100, [port], "/live/counter")
    crowd.until(lambda: crowd.all_show(0))
    for instance in instances:
        until(lambda: instance.metric("freshet_streams") >= 20)
    count = instances[0].increment()
    crowd.until(lambda: crowd.all_show(count))
    crowd.close()
    for instance in instances:
        until(lambda: instance.metric("freshet_streams") == 0, what="the proxy passes on that clients left")


@test
def the_proxy_keeps_serving_when_redis_is_down(case):
    # contract 7.5: it routes by liveness
    redis, instances, port = behind_proxy(case)
    stream = Stream(port, "/live/counter").shows(0)
    redis.kill()
    until(lambda: not any(i.ready() for i in instances), 6)
    assert request(port, "GET", "/health/live").status == 200
    assert Stream(port, "/live/counter").opened().status == 200
    assert not stream.closed
    redis.start()
    count = until(instances[0].increment, 3)
    stream.shows(count)


@test
def the_proxy_sends_a_client_to_the_instance_that_is_left(case):
    _, (a, b), port = behind_proxy(case)
    a.stop()
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
    with open(CONFIGURATION, encoding="utf-8") as source:
        upstream = set(re.findall(r"^\s*server\s+([\w.-]+):\d+", source.read(), re.M))
    assert upstream == set(bridges), (upstream, set(bridges))


@test
def the_docker_file_is_debian_12(_case):
    with open(os.path.join(TOP, "bridge", "Dockerfile"), encoding="utf-8") as source:
        text = source.read()
    bases = re.findall(r"^FROM\s+(\S+)", text, re.M)
    assert bases and all(re.match(r"debian:(12|bookworm)", base) or base.isalpha() for base in bases), bases


if __name__ == "__main__":
    main()
