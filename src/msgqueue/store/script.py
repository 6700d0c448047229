"""Lua scripts: their text put together from their file and the parts it names."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files

from msgqueue.store import keys

FOLDER = files("msgqueue.store") / "scripts"
USES = re.compile(r"^-- uses: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """One atomic step's text, and the hash by which Redis knows it."""

    name: str
    text: bytes
    sha: bytes


@cache
def script(name: str) -> Script:
    """The script in `scripts/<name>.lua`, after the parts that its line `-- uses:` names."""
    return assemble(name)


def read(path: str) -> str:
    """The text of a file below `scripts/`."""
    return (FOLDER / path).read_text()


def assemble(name: str, read: Callable[[str], str] = read) -> Script:
    """A script put together anew.

    Args:
        name: of its file.
        read: gives the text of a file below `scripts/`. Tests give other ones: a clock that they
            set, a rule that is missing. Nobody keeps such a script, so no step ever calls it.
    """
    body = read(f"{name}.lua")
    named = USES.search(body)
    parts = [read(f"parts/{part.strip()}.lua") for part in (named[1].split(",") if named else ())]
    head = f"local RQ, MQ = '{keys.RQ}', '{keys.MQ}'\n"
    text = "\n".join((head, *parts, body)).encode()
    return Script(name, text, sha1(text, usedforsecurity=False).hexdigest().encode())
