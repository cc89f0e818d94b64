"""What is asked and told beside the streams: of the instances, and of their Redis."""
import json
import os
import subprocess
import time

from wire import RedisClient, parse_metrics, request

SERVE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "serve")
ASK_EVERY_S = 0.01


def increment(port):
    """The new count."""
    answer = request(port, "POST", "/counter/increment")
    if answer.status != 200:
        raise RuntimeError(f"POST /counter/increment: {answer.status}")
    return str(json.loads(answer.body)["count"])


def metrics(port):
    return parse_metrics(request(port, "GET", "/metrics").body.decode())


def streams_open(port):
    return metrics(port)["freshet_streams"]


def health(port):
    return json.loads(request(port, "GET", "/health/ready").body)


def ask_until(condition, limit_s):
    """When condition() came true; None: not in that time."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            return None
        time.sleep(ASK_EVERY_S)
    return time.monotonic()


class Redis:
    """The Redis of the instances: its process, and a way in that stays open while theirs is closed."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port

    def serve(self, *arguments, **environment):
        return subprocess.run([SERVE, *arguments], env={**os.environ, **environment}, stdout=subprocess.PIPE,
                              check=True, text=True).stdout

    @property
    def pid(self):
        return int(self.serve("pid", self.folder, str(self.port)).split()[0])

    def kill(self):
        self.serve("kill", self.folder, str(self.port))

    def start_closed(self):
        self.serve("start", "redis", self.folder, str(self.port), BENCH_REDIS_CLOSED="yes")

    def open_port(self):
        """When it answered there."""
        with self.connect() as client:
            client.command("CONFIG", "SET", "port", self.port)
        with RedisClient(self.port) as client:
            client.command("PING")
        return time.monotonic()

    def connect(self):
        return RedisClient(os.path.join(self.folder, "redis.sock"))

    def run(self, *commands):
        with self.connect() as client:
            client.pipeline(*commands)
