"""A backend behind a bridge: an http.server whose answers a test chooses, and which knows what it was asked."""
import http.server
import os
import threading

from support import Bridge, free_port


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        backend = self.server.backend
        with backend.lock:
            backend.paths.append(self.path)
            backend.headers.append(dict(self.headers.items()))
            backend.running += 1
            backend.most = max(backend.most, backend.running)
        try:
            status, headers, body = backend.answer(self)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status not in (204, 304):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True
        finally:
            with backend.lock:
                backend.running -= 1

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


class Backend:
    """`answer(request)` gives status, headers and body; on a thread of the connection."""

    def __init__(self, case, answer):
        self.port = free_port()
        self.answer = answer
        self.lock = threading.Lock()
        self.paths, self.headers = [], []
        self.running = self.most = 0
        self.server = None
        self.start()
        case.defer(self.stop)

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def start(self):
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.backend = self
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        """Nothing listens any more; connections that are open go on until somebody closes them."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


def text(body, status=200, **headers):
    return status, headers, body.encode()


def serve(case, config, *options, redis=None, name="live.yaml", **more):
    """A bridge with this file."""
    path = os.path.join(case.folder, name)
    write(path, config)
    bridge = case.bridge("--config", path, "--threads", "2", *options, redis=redis, **more)
    bridge.config = path
    return bridge


def write(path, config):
    with open(path, "w", encoding="utf-8") as out:
        out.write(config)
