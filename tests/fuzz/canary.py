"""A pickle that tells when somebody reads it."""

import pickle
from typing import Any

SANG: list[str] = []


def sing() -> str:
    """What unpickling calls."""
    SANG.append("unpickled")
    return "unpickled"


class Canary:
    """Pickles to a call of `sing`."""

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return sing, ()


PICKLE = pickle.dumps(Canary())
