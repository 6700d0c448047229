"""Lua scripts: their text put together from their file and the parts it names."""

import re
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
    body = (FOLDER / f"{name}.lua").read_text()
    named = USES.search(body)
    parts = [
        (FOLDER / "parts" / f"{part.strip()}.lua").read_text()
        for part in (named[1].split(",") if named else ())
    ]
    head = f"local RQ, MQ = '{keys.RQ}', '{keys.MQ}'\n"
    text = "\n".join((head, *parts, body)).encode()
    return Script(name, text, sha1(text, usedforsecurity=False).hexdigest().encode())
