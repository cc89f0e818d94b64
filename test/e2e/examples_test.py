"""The applications of bridge/README.md, word for word: a file, Flask, Express, two bridges (contract 10.2), sessions (contract
10.5)."""
import json
import os
import re
import subprocess
import urllib.parse

from backend import serve, write
from support import BRIDGE, TOP, deadline, free_port, main, request, shown, test, until
from streams import Stream

TOKEN = {"BACKEND_TOKEN": "a secret of this test"}


def blocks(language):
    """What stands under "For any backend" in that language."""
    with open(os.path.join(TOP, "bridge", "README.md"), encoding="utf-8") as lines:
        part = lines.read().split("\n## For any backend\n")[1].split("\n### The file\n")[0]
    return re.findall("```%s\n(.*?)```" % language, part, re.S)


def try_application(case, language, suffix, *command):
    redis = case.redis()
    port = free_port()
    path = os.path.join(case.folder, "app" + suffix)
    with open(path, "w", encoding="utf-8") as out:
        out.write(blocks(language)[0])
    env = {**os.environ, **TOKEN, "PORT": str(port), "REDIS_PORT": str(redis.port), "NODE_PATH": "/usr/share/nodejs"}
    application = case.run([*command, path], env=env)
    until(lambda: request(port, "GET", "/").status == 200, 3, "the application answers")
    config = blocks("yaml")[0].replace("127.0.0.1:5000/", "127.0.0.1:%d/" % port)
    bridges = [serve(case, config, redis=redis, name="%d.yaml" % n, env=TOKEN) for n in (1, 2)]
    poll = urllib.parse.quote("caf\u00e9 1")
    streams = [Stream(bridge.port, "/live/poll/" + poll) for bridge in bridges]
    for stream in streams:
        stream.until(lambda s: s.newest and json.loads(s.newest) == {}, 3, "no votes")
    for votes in range(1, 4):
        answer = request(port, "POST", "/poll/%s/vote/yes" % poll)
        assert answer.status == 204, (answer, application.log())
        for stream in streams:
            stream.until(lambda s: json.loads(s.newest) == {"yes": str(votes)}, 3, "%d votes" % votes)
    redis.command("SET", "app:visits", "7")
    Stream(bridges[0].port, "/live/visits").shows("7")
    assert request(port, "GET", "/internal/poll/tea").status == 403, "nobody else has the token"


@test
def the_flask_application_of_the_readme(case):
    # contract 10.2
    try_application(case, "python", ".py", "/usr/bin/python3")


@test
def the_express_application_of_the_readme(case):
    # contract 10.2
    try_application(case, "js", ".js", "node")


def try_sessions(case, language, suffix, before, *command):
    """The application with the address that says who may watch, put `before` its last lines."""
    redis = case.redis()
    port = free_port()
    whole, end = blocks(language)[0].split(before)
    path = os.path.join(case.folder, "app" + suffix)
    write(path, whole + shown(language, "/internal/may-watch") + before + end)
    env = {**os.environ, **TOKEN, "PORT": str(port), "REDIS_PORT": str(redis.port), "NODE_PATH": "/usr/share/nodejs"}
    application = case.run([*command, path], env=env)
    until(lambda: request(port, "GET", "/").status == 200, 3, "the application answers")
    bridge = serve(case, """
loaders: [{ route: mine, load: { redis: [GET, "app:of:{user}"] }, per: [user], use: [signed-in] }]
guards: { signed-in: { ask: "http://127.0.0.1:%d/internal/may-watch", forward: [cookie], attributes: [user], for: 1s } }
""" % port, redis=redis)
    for user, session in (("ann", "s1"), ("bob", "s2")):
        redis.command("SET", "session:" + session, user)
        redis.command("SET", "app:of:" + user, user + "'s")
    refused = bridge.get("/live/mine", {"Cookie": "session=none"})
    assert refused.status == 401 and bridge.get("/live/mine").status == 401, (refused, application.log())
    ann = Stream(bridge.port, "/live/mine", {"Cookie": "a=b; session=s1"}).shows("ann's")
    bob = Stream(bridge.port, "/live/mine", {"Cookie": "session=s2"}).shows("bob's")
    redis.command("DEL", "session:s1")
    ann.until(lambda s: s.end and json.loads(s.end)["code"] == "sign-in", 3, "the sign-out ends it")
    redis.command("SET", "app:of:bob", "news")
    redis.command("PUBLISH", "freshet:mine", "")
    bob.shows("news", 3)


@test
def a_sign_out_in_flask_ends_the_streams(case):
    # contract 10.5
    try_sessions(case, "python", ".py", 'if __name__ == "__main__":', "/usr/bin/python3")


@test
def a_sign_out_in_express_ends_the_streams(case):
    # contract 10.5
    try_sessions(case, "js", ".js", "db.connect()", "node")


@test
def the_file_of_the_readme_is_right(case):
    # contract 10.1
    path = os.path.join(case.folder, "live.yaml")
    write(path, blocks("yaml")[0])
    done = subprocess.run([BRIDGE, "--config", path, "--check-config"], capture_output=True, text=True, check=False,
                          timeout=deadline(3), env={**os.environ, **TOKEN})
    assert (done.returncode, done.stderr) == (0, ""), done
    done = subprocess.run([BRIDGE, "--config", path, "--check-config"], capture_output=True, text=True, check=False,
                          timeout=deadline(3), env={**os.environ, "BACKEND_TOKEN": ""})
    assert done.returncode == 2 and "the variable BACKEND_TOKEN is not set" in done.stderr, done


if __name__ == "__main__":
    main()
