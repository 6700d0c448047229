"""What the database holds, read for comparison: every key, and every job with all its places."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

REGISTRIES: Final = ("finished", "failed", "canceled", "scheduled", "deferred")


class Key(NamedTuple):
    """One key; `deadline` is when it expires, in Unix milliseconds of Redis, None for never."""

    name: str
    kind: str
    deadline: int | None
    content: Any


class Place(NamedTuple):
    """One place in which an id lies: `kind` is what stands between rq's prefix and the queue."""

    kind: str
    queue: str
    execution: str = ""  # for wip


@dataclass(frozen=True)
class Snapshot:
    """All keys by name; lists, sets and streams as lists, hashes and sorted sets as dicts."""

    keys: Mapping[str, Key] = field(default_factory=dict)

    def content(self, name: str) -> Any:
        """What a key holds; an empty list for none."""
        return self.keys[name].content if name in self.keys else []

    def named(self, prefix: str) -> Iterator[tuple[str, Key]]:
        """Keys that begin so, each with the rest of its name."""
        for name, key in self.keys.items():
            if name.startswith(prefix):
                yield name[len(prefix) :], key

    def jobs(self) -> dict[str, dict[str, str]]:
        """The hash of each job."""
        return {
            name: key.content
            for name, key in self.named("rq:job:")
            if key.kind == "hash" and not name.endswith((":dependents", ":dependencies"))
        }

    def queues(self) -> dict[str, list[str]]:
        """The ids in each queue that is not empty, from its head."""
        keys = self.named("rq:queue:")
        return {name: key.content for name, key in keys if key.kind == "list"}

    def leases(self) -> dict[tuple[str, str], int]:
        """The members of all places of claimed jobs, `(queue, member)`: scores in milliseconds."""
        return {
            (queue, member): milliseconds(score)
            for queue, key in self.named("rq:wip:")
            for member, score in key.content.items()
        }

    def places(self, now: int = 0) -> dict[str, list[Place]]:
        """Every place of every id.

        Args:
            now: in milliseconds; who lies among the finished or failed until an earlier moment
                counts there no more, and is only to be trimmed.
        """
        found: dict[str, list[Place]] = {}
        for queue, ids in self.queues().items():
            for one in ids:
                found.setdefault(one, []).append(Place("queue", queue))
        for queue, member in self.leases():
            one, execution = member.rsplit(":", 1)
            found.setdefault(one, []).append(Place("wip", queue, execution))
        for registry in REGISTRIES:
            for queue, key in self.named(f"rq:{registry}:"):
                for one, score in key.content.items():
                    if registry not in ("finished", "failed") or float(score) * 1000 >= now:
                        found.setdefault(one, []).append(Place(registry, queue))
        return found


def milliseconds(score: str) -> int:
    """A score in Unix seconds as milliseconds."""
    return round(float(score) * 1000)


def parse(raw: list[Any]) -> Snapshot:
    """A snapshot from what snapshot.lua answered."""
    return Snapshot({key.name: key for key in map(_key, raw)})


def _key(raw: list[Any]) -> Key:
    name, kind, deadline, content = raw
    word = kind.decode()
    if word == "stream":
        parsed: Any = [_pairs(fields) for _, fields in content]
    elif word in ("hash", "zset"):
        parsed = _pairs(content)
    elif word == "string":
        parsed = _text(content)
    else:
        parsed = [_text(one) for one in content]
    return Key(_text(name), word, deadline if deadline > 0 else None, parsed)


def _pairs(flat: list[bytes]) -> dict[str, str]:
    return dict(zip(map(_text, flat[::2]), map(_text, flat[1::2]), strict=True))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
