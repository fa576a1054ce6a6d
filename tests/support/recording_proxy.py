"""A proxy that records what the suite sends."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import replace

from runner.database.dsn import Dsn


class RecordingProxy:
    """A proxy between the suite and a server, which passes everything on; ``heard`` is what the suite sent."""

    def __init__(self, dsn: Dsn) -> None:
        self._to = (dsn.host, dsn.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.dsn = replace(dsn, port=self._listener.getsockname()[1])
        self.heard = bytearray()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._to)
                threading.Thread(target=self._pass_on, args=(client, server, self.heard), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(server, client, bytearray()), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, to: socket.socket, heard: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                heard += data
                to.sendall(data)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
