"""The buttons of the demo's page: orders to the demo, which stops and starts things.

    POST /state             {"redis": true, "instance": true, "url": ...}: what takes connections now
    POST /redis/stop        202; also redis/start, instance/stop, instance/start (the second instance)

Each takes {"token": ...}. A page can only do this if it asks for this very host, its origin is one of the two instances,
and it knows the token, which the demo prints and no instance is ever sent."""
import hmac
import http.server
import json
import os
import socket
import socketserver
import threading

MAX_BODY_BYTES = 16384
STALLED_S = 5  # a client that sends nothing
ORDERS = {"/redis/stop": b"k\n", "/redis/start": b"s\n", "/instance/stop": b"x\n", "/instance/start": b"y\n"}


class Refused(Exception):
    def __init__(self, status, error, field=None):
        super().__init__(error)
        self.status = status
        self.json = {"error": error} if field is None else {"error": error, "field": field}


def takes_connections(port):
    """Loopback answers at once, whether somebody listens or not."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Request(http.server.BaseHTTPRequestHandler):
    timeout = STALLED_S

    def do_POST(self):
        try:
            self.admit()
            self.answer(*self.do())
        except Refused as refused:
            self.answer(refused.status, refused.json)

    def do_OPTIONS(self):
        """What a browser asks before it lets a page of an instance send JSON to here."""
        if self.headers["Origin"] in self.server.origins:
            self.answer(204, None, {"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "content-type",
                                    "Access-Control-Max-Age": "7200"})
        else:
            self.do_other()

    def do_other(self):
        self.answer(405, {"error": "this method is not for this place"}, {"Allow": "POST"})

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_other

    def admit(self):
        if self.headers.get_all("Host") not in self.server.hosts:
            raise Refused(403, "must be 127.0.0.1 or localhost with the port", "host")
        if self.headers["Origin"] not in self.server.origins:
            raise Refused(403, "must be one of the two instances", "origin")
        if not self.is_token(self.read_object().get("token")):
            raise Refused(403, "is not the one that the demo printed", "token")

    def is_token(self, given):
        """How long it takes does not depend on where they differ."""
        return isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), self.server.token.encode())

    def read_object(self):
        # A form of another site can't send this type without asking first.
        if self.headers.get_content_type() != "application/json":
            raise Refused(415, "must be application/json", "content-type")
        length = self.headers["Content-Length"] or ""
        if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY_BYTES:
            raise Refused(413, "must be at most %d bytes, and say how many" % MAX_BODY_BYTES, "body")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError, OSError):  # OSError: it did not come
            body = None
        if not isinstance(body, dict):
            raise Refused(400, "must be one JSON object", "body")
        return body

    def do(self):
        programs = self.server.programs
        if self.path == "/state":
            return 200, {"redis": takes_connections(programs.redis.port),
                         "instance": takes_connections(programs.b.port), "url": programs.b.url}
        if self.path not in ORDERS:
            raise Refused(404, "there is nothing here")
        os.write(self.server.orders, ORDERS[self.path])
        return 202, {"ordered": self.path[1:]}

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Vary", "Origin")
        if self.headers["Origin"] in self.server.origins:
            self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if body is not None:
            self.send_header("Content-Type", "application/json")
        self.end_headers()
        if body is not None and self.command != "HEAD":
            self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


class Control(socketserver.ThreadingTCPServer):
    """Not that of http.server, which asks for this machine's name: where DNS is broken, that takes seconds."""

    allow_reuse_address = True
    daemon_threads = True


def start_control(port, programs, token, orders):
    """Takes orders on a thread of its own and writes them to the descriptor `orders`. Nothing but loopback: whoever has
    the token stops programs."""
    control = Control(("127.0.0.1", port), Request)
    control.programs, control.token, control.orders = programs, token, orders
    control.origins = [instance.url for instance in programs.instances]
    control.hosts = [["127.0.0.1:%d" % port], ["localhost:%d" % port]]
    threading.Thread(target=control.serve_forever, daemon=True).start()
