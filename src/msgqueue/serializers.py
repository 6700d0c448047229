"""Bytes of calls and results, as rq's two serializers write and read them."""

import json
import pickle
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from msgqueue.errors import ConfigurationError

SerializerName = Literal["json", "pickle"]


class Serializer(NamedTuple):
    """One way to write values, under the name by which a TaskQueue chooses it.

    Attributes:
        name: `json` or `pickle`.
        dumps: a value to bytes; raises TypeError, ValueError or RecursionError where it cannot.
        loads: bytes to a value.
    """

    name: SerializerName
    dumps: Callable[[Any], bytes]
    loads: Callable[[bytes], Any]


def _refuse(value: Any) -> None:
    told = f"Object of type {type(value).__name__} is not JSON serializable"
    path = getattr(value, "path", None)
    if callable(value) and isinstance(path, str):  # a task, as an argument or given to rq
        told += f": pass its dotted path, {path!r}"
    raise TypeError(told)


_DECODER: Final = json.JSONDecoder()
_ENCODER: Final = json.JSONEncoder(allow_nan=False, default=_refuse)


def _dump_json(value: Any) -> bytes:
    """The bytes of rq's JSONSerializer; NaN and Infinity, which are no JSON, are refused."""
    return _ENCODER.encode(value).encode()


def _load_json(data: bytes) -> Any:
    """What json.loads reads from UTF-8, without its guess at the encoding: half the cost."""
    return _DECODER.decode(str(data, "utf-8"))


def _dump_pickle(value: Any) -> bytes:
    try:
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError) as error:
        raise TypeError(str(error)) from error


JSON: Final = Serializer("json", _dump_json, _load_json)
PICKLE: Final = Serializer("pickle", _dump_pickle, pickle.loads)


def serializer_named(name: str) -> Serializer:
    """The serializer of that name.

    Raises:
        ConfigurationError: there is none of that name.
    """
    for known in (JSON, PICKLE):
        if known.name == name:
            return known
    raise ConfigurationError(
        f"serializer={name!r} is unknown: use 'json', or 'pickle' where every process that"
        " can write to this Redis is trusted"
    )
