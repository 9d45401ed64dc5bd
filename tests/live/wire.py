"""A network that can be broken: a TCP forwarder between a client and a server."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

PART_BYTES = 65_536


class Wire:
    """Listens on a port of its own and forwards to (host, port), in threads."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._flows = threading.Event()
        self._flows.set()
        self._is_cut = False
        self._ends: list[socket.socket] = []
        self._guard = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """Nothing gets through any more, in either direction, and nobody is told: a lost network."""
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def cut(self) -> None:
        """Every connection ends, and new ones do too as soon as they are made: a server that restarts."""
        with self._guard:
            self._is_cut = True
            for end in self._ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self._ends.clear()

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.thaw()
        self.cut()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _address = self._listener.accept()
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._flows.wait()
        try:
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        with self._guard:
            if self._is_cut:
                near.close()
                far.close()
                return
            self._ends += [near, far]
        back = threading.Thread(target=self._pump, args=(near, far), daemon=True)
        back.start()
        self._pump(far, near)
        back.join()
        with self._guard:
            self._ends = [end for end in self._ends if end not in (near, far)]
        near.close()
        far.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(PART_BYTES):
                self._flows.wait()
                sink.sendall(part)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
