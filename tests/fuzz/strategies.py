"""What comes from outside: right data, right data with something wrong in it, and any bytes."""

import json
import string
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

#: Words that some reader of numbers, times or texts takes for more than they are.
ODD_WORDS = (
    *(b"", b" ", b"0", b"-0", b"-1", b"00", b"1_0", b"1.5", b"1e400", b"-1e400", b"1e15", b"1e300"),
    *(
        b"nan",
        b"-nan",
        b"inf",
        b"-inf",
        b"Infinity",
        b"0x10",
        b"0x1p4",
        b"1e",
        b"+1",
        b" 7 ",
        b"7\n",
    ),
    *(
        b"9" * 30,
        b"9" * 5_000,
        b"\xd9\xa3",
        b"\xff\xfe",
        b"\x00",
        b"soon",
        b"None",
        b"null",
        b"true",
    ),
    *(
        b"[]",
        b"{}",
        b'"\\ud800"',
        b"[" * 3_000,
        b"x\xda",
        b"\x78\x9c\x00",
        b"\x80\x05K\x05.",
        b"a\nb",
    ),
)

raw_bytes = st.binary(max_size=64)
odd_words = st.sampled_from(ODD_WORDS)
any_text = st.text(st.characters(exclude_categories=()), max_size=24)  # lone surrogates included
plain_text = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)

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
    return all(isinstance(text.encode(), bytes) for text in texts)
