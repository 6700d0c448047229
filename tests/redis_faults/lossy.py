"""A way between clients and a server that loses replies."""

import random
import select
import socket
import threading

from tests.faults.servers import Server


class LossyWay:
    """Passes bytes on between clients and a server; now and then a reply is lost with its line.

    Attributes:
        loss: of how many replies this share is lost.
        lost: how many were.
    """

    def __init__(self, server: Server, seed: int) -> None:
        self.loss, self.lost, self._cut = 0.0, 0, 0
        self._server, self._random = server, random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def cut(self) -> None:
        """From here on, what is sent over the connections that stand gets lost; none is closed."""
        self._cut += 1

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        cuts = self._cut
        with client, socket.create_connection(("127.0.0.1", self._server.port)) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for end in ready:
                    try:
                        data = end.recv(1 << 16)
                        if not data:
                            return
                        if cuts < self._cut:
                            continue
                        if end is server and self._random.random() < self.loss:
                            self.lost += 1
                            return
                        (client if end is server else server).sendall(data)
                    except OSError:
                        return
