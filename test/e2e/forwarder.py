"""A TCP forwarder between a bridge and its Redis: an address that can be moved, and a network that can hold
back what was sent."""
import contextlib
import socket
import threading


class Forwarder:
    def __init__(self, case, target):
        self.target = target  # port that new connections are led to
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.sockets = set()  # under the lock, as all that follows
        self.pattern = None
        self.holding = self.muted = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        case.defer(self.close)

    @property
    def url(self):
        return "redis://127.0.0.1:%d" % self.port

    def hold(self, pattern):
        """Keeps the next piece that has `pattern`, and all behind it on that connection, until release()."""
        with self.lock:
            self.pattern, self.holding = pattern, True

    def release(self, muted=False):
        """Lets it go on; `muted`: but none of the answers."""
        with self.lock:
            self.holding, self.muted = False, muted
            self.changed.notify_all()

    def cut(self):
        """Ends all connections."""
        with self.lock:
            for end in self.sockets:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self.muted = False

    def close(self):
        self.release()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            with self.lock:
                self.sockets |= {client, server}
            threading.Thread(target=self.pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()

    def admit(self, piece, outward):
        """Whether to hand it on, which may take a while."""
        with self.lock:
            if not outward:
                return not self.muted
            if self.pattern is not None and self.pattern in piece:
                self.pattern = None
                self.changed.wait_for(lambda: not self.holding)
            return True

    def pump(self, source, sink, outward):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if self.admit(piece, outward):
                    sink.sendall(piece)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
