"""The books of a failover excuse what the new primary does not have, and nothing else."""

import time
from contextlib import closing
from pathlib import Path

from tests.faults.conftest import OwnRedis
from tests.faults.ledger import Books
from tests.faults.reigns import Reigns
from tests.faults.servers import Server
from tests.patience import wait_until


def follow(server: Server, primary: Server) -> None:
    """Have a server follow another one."""
    with server.client() as client:
        client.replicaof("127.0.0.1", primary.port)
        wait_until(lambda: client.info("replication")["master_link_status"] == "up")


def write(server: Server, value: str) -> float:
    """Write something; when it was answered."""
    with server.client() as client:
        wait_until(lambda: client.info("replication")["min_slaves_good_slaves"] > 0)
        client.set("value", value)
    return time.monotonic()


def test_what_a_primary_took_in_and_its_successor_never_had_is_forgotten(
    own_redis: OwnRedis, tmp_path: Path
) -> None:
    options = "--repl-diskless-sync-delay", "0"
    primary, heir, other = servers = [own_redis(*options) for _ in range(3)]
    for server in servers:
        with server.client() as client:
            client.config_set("min-replicas-to-write", 1, "min-replicas-max-lag", 10)
    follow(heir, primary)
    follow(other, primary)
    books = Books(tmp_path)

    with closing(Reigns(servers, books)) as reigns, heir.client() as client:
        kept = write(primary, "kept")
        wait_until(lambda: client.get("value") == "kept" and reigns.last.counts[-1].asked > kept)
        client.replicaof("NO", "ONE")
        forgotten = write(primary, "forgotten")
        follow(primary, heir)
        wait_until(lambda: reigns.last.serves and books.lapses)

    assert [strike.kind for strike in books.strikes] == ["switched"]
    assert any(lapse.covers(forgotten) for lapse in books.lapses)
    assert not any(lapse.covers(kept) for lapse in books.lapses)
