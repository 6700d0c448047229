"""What comes from outside: right data, right data with something wrong in it, and any bytes."""

import json
import os
import string
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from msgqueue.store.codec import is_text

#: Words that some reader of numbers, times or texts takes for more than they are.
ODD_NUMBERS = b"0 -0 -1 00 1_0 1.5 1e +1 1e15 1e300 1e400 -1e400 0x10 0x1p4".split()
ODD_NAMES = b"nan -nan inf -inf Infinity soon None null true [] {}".split()
ODD_SPACES = [b"", b" ", b" 7 ", b"7\n", b"a\nb"]
ODD_BYTES = [b"\x00", b"\xff\xfe", b"\xd9\xa3", b"x\xda", b"\x78\x9c\x00", b"\x80\x05K\x05."]
ODD_SIZES = [b"9" * 30, b"9" * 5_000, b"[" * 3_000]
LONE_SURROGATE = b'"\\ud800"'
ODD_WORDS = [*ODD_NUMBERS, *ODD_NAMES, *ODD_SPACES, *ODD_BYTES, *ODD_SIZES, LONE_SURROGATE]

raw_bytes = st.binary(max_size=64)
odd_words = st.sampled_from(ODD_WORDS)
any_text = st.text(st.characters(exclude_categories=()), max_size=24)  # lone surrogates included
plain_text = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)

#: What a command line or an environment can hold: no NUL; bytes that are no UTF-8 as Python shows
#: them.
system_text = any_text.filter(lambda text: "\0" not in text) | raw_bytes.map(
    lambda raw: os.fsdecode(raw.replace(b"\0", b""))
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)

#: Also what no JSON holds: NaN, lone surrogates, and what is nested deeper than a reader goes.
loose_json = st.builds(
    json.dumps,
    st.recursive(
        json_values | st.floats() | any_text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
        max_leaves=6,
    ),
) | st.sampled_from(("[" * 900, "[" * 5_000))


@st.composite
def mutated(draw: Callable[..., Any], data: st.SearchStrategy[bytes]) -> bytes:
    """Right data with a few bytes flipped, cut out, doubled or put in."""
    whole = bytearray(draw(data))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(whole) - 1)))
        match draw(st.sampled_from(("flip", "cut", "end", "put", "double"))):
            case "flip" if whole:
                whole[at] ^= draw(st.integers(1, 255))
            case "cut":
                del whole[at : at + draw(st.integers(1, 8))]
            case "end":
                del whole[at:]
            case "put":
                whole[at:at] = draw(st.binary(min_size=1, max_size=8))
            case _:
                whole[at:at] = whole[at : at + 8]
    return bytes(whole)


def damaged(right: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Right, somewhat wrong, odd, or any bytes."""
    return right | mutated(right) | odd_words | raw_bytes


def can_be_sent(*texts: str) -> bool:
    """Whether all of these are text that a terminal, a log and an answer in JSON can carry."""
    return all(map(is_text, texts))
