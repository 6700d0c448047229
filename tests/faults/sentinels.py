"""A primary, its replicas and the Sentinels that watch them."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.faults.relay import Relay
from tests.faults.servers import ALWAYS, Server
from tests.patience import wait_until

DOWN_AFTER: Final = 1000  # milliseconds without an answer until a Sentinel takes one for dead
WITHIN: Final = 30.0  # seconds that each change of roles may take
MOST_LAG: Final = 2  # seconds without a word of a replica until the primary takes no writes
WATCHERS: Final = ("watchers", "on", ">secret", "~*", "&*", "+@all")
CONFIG: Final = """
sentinel monitor main 127.0.0.1 {port} 2
sentinel auth-user main watchers
sentinel auth-pass main secret
sentinel down-after-milliseconds main {down_after}
sentinel failover-timeout main 4000
"""


class Watched:
    """Three servers that hold the same, and three Sentinels.

    Replicas and Sentinels log in as a user of their own, so that a primary can be cut off from
    them while its clients go on.

    Args:
        start: starts a server, as `own_redis` does.
        folder: for what the Sentinels write.
        way: makes the way by which all go to the first primary; None where they go straight.
    """

    def __init__(
        self,
        start: Callable[..., Server],
        folder: Path,
        way: Callable[[int, bytes], Relay] | None = None,
    ) -> None:
        self.servers = [start(*ALWAYS, "--repl-diskless-sync-delay", "0") for _ in range(3)]
        primary = self.servers[0]
        self._by_port = {server.port: server for server in self.servers}
        self._first = primary.port
        if way is not None:
            self._first = way(primary.port, WATCHERS[0].encode()).port
            self._by_port[self._first] = primary
            with primary.client() as client:
                client.config_set("replica-announce-port", self._first)
        for server in self.servers:
            with server.client() as client:
                client.execute_command("ACL", "SETUSER", *WATCHERS)
                client.config_set("masteruser", "watchers", "masterauth", "secret")
                client.config_set("min-replicas-to-write", 1, "min-replicas-max-lag", MOST_LAG)
                if server is not primary:
                    client.replicaof("127.0.0.1", self._first)
        wait_until(lambda: self._attached(primary) == 2, WITHIN)
        self._sentinels = [self._sentinel(start, folder / str(number)) for number in range(3)]
        wait_until(lambda: all(self._sees_all(one) for one in self._sentinels), WITHIN)

    def _sentinel(self, start: Callable[..., Server], config: Path) -> Server:
        config.write_text(CONFIG.format(port=self._first, down_after=DOWN_AFTER))
        return start(str(config), "--sentinel")

    @property
    def url(self) -> str:
        """Where clients ask for the primary."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self._sentinels)
        return f"redis+sentinel://{hosts}/main/0"

    @property
    def primary(self) -> Server:
        """The primary, as the Sentinels say."""
        with self._sentinels[0].client() as client:
            _, port = client.sentinel_get_master_addr_by_name("main")
        return self._by_port[port]

    def until_replaced(self, former: Server) -> None:
        """Wait until another one is primary, and says so itself."""
        wait_until(lambda: self.primary is not former and self.primary.role() == "master", WITHIN)

    def until_demoted(self, former: Server) -> None:
        """Wait until one that was primary is a replica."""
        wait_until(lambda: former.role() == "slave", WITHIN)

    def fail_over(self, *how: str) -> None:
        """Have the primary replaced, though nothing is wrong with it."""
        with self._sentinels[0].client() as client:
            client.execute_command("SENTINEL", "FAILOVER", "main", *how)

    def cut_off(self, server: Server) -> None:
        """Keep replicas and Sentinels from a server; its clients, which send no PING, go on."""
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "watchers", "off")
            client.execute_command("ACL", "SETUSER", "default", "-ping")
            client.execute_command("CLIENT", "KILL", "USER", "watchers")

    def rejoin(self, server: Server) -> None:
        """Let them in again."""
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "watchers", "on")
            client.execute_command("ACL", "SETUSER", "default", "+ping")

    def _attached(self, primary: Server) -> int:
        with primary.client() as client:
            told = client.info("replication")
        return sum(told.get(f"slave{n}", {}).get("state") == "online" for n in range(2))

    def _sees_all(self, sentinel: Server) -> bool:
        with sentinel.client() as client:
            others = client.sentinel_sentinels("main")
            return len(client.sentinel_slaves("main")) == 2 and len(others) == 2
