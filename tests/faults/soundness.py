"""What must hold of a Redis in which all is at rest."""

from collections.abc import Iterator
from pathlib import Path

import redis
from tests.model.invariants import no_key_for_ever, one_place, one_result
from tests.model.model import FINAL, Model
from tests.model.snapshot import Snapshot, parse

SNAPSHOT = (Path(__file__).parents[1] / "model" / "lua" / "snapshot.lua").read_text()


def check(client: redis.Redis) -> None:
    """Each job is in one place and final, and no key is left that nobody needs.

    Raises:
        AssertionError: something does not hold; names all of it.
    """
    snapshot = parse(client.eval(SNAPSHOT, 0))
    faults = [
        *one_place(snapshot, Model(), frozenset()),
        *one_result(snapshot),
        *no_key_for_ever(snapshot, frozenset()),
        *_all_final(snapshot),
        *_no_execution(snapshot),
    ]
    assert not faults, "\n".join(faults[:20])


def _all_final(snapshot: Snapshot) -> Iterator[str]:
    for name, fields in snapshot.jobs().items():
        if fields.get("status") not in FINAL:
            yield f"{name} is {fields.get('status')}"


def _no_execution(snapshot: Snapshot) -> Iterator[str]:
    for prefix in ("rq:execution:", "rq:executions:", "rq:wip:"):
        for name, key in snapshot.named(prefix):
            if key.content:
                yield f"{prefix}{name} is left: {key.content}"
