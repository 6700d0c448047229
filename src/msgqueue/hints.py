"""One type hint: whether JSON carries its values as they are, and how they travel where not."""

from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import to_json

_PLAIN: Final = (int, str, float, bool, None, NoneType, list, dict, Any, object)
_LITERALS: Final = (str, int, bool, NoneType)
_STARS: Final = b'"**********"'  # what pydantic writes for a secret
_BASE64: Final = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


def is_plain(hint: Any) -> bool:
    """Whether every value of this hint is one of JSON's own types, and comes back as the same.

    Any and a missing hint count: what they stand for is checked when it is written.
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType, list):
        return all(map(is_plain, args))
    if origin is dict:
        return args[0] is str and is_plain(args[1])
    if origin is Literal:
        return all(type(value) in _LITERALS for value in args)
    return any(hint is plain for plain in _PLAIN)


class Converter:
    """Carries the values of one hint to JSON and back.

    Raises:
        PydanticUserError: pydantic has no form for this hint.
    """

    def __init__(self, hint: Any) -> None:
        try:
            self._adapter = TypeAdapter[Any](hint, config=_BASE64)
        except PydanticUserError:  # a model brings a configuration of its own
            self._adapter = TypeAdapter[Any](hint)

    def dump(self, value: Any) -> Any:
        """A value of the hint in JSON's own types.

        Raises:
            ValueError: it has no JSON form.
        """
        dumped = self._adapter.dump_python(value, mode="json", round_trip=True, warnings="error")
        if _STARS in to_json(dumped) and self.load(dumped) != value:
            raise ValueError("a secret is not written into Redis: pass a reference to it")
        return dumped

    def dump_any(self, value: Any) -> Any:
        """Like `dump`, for a value that nobody has checked.

        Raises:
            ValueError: it is not what the hint says, or has no JSON form.
        """
        return self.dump(self._adapter.validate_python(value))

    def load(self, value: Any) -> Any:
        """The value that `dump` made JSON of.

        Raises:
            ValidationError: it is not what the hint says.
        """
        return self._adapter.validate_json(to_json(value), by_alias=True, by_name=True)


def problems(error: ValidationError, *within: str) -> list[dict[str, Any]]:
    """What pydantic refused: `loc`, inside of `within`, and `msg`; never a value."""
    told = error.errors(include_url=False, include_context=False, include_input=False)
    return [{"loc": (*within, *problem["loc"]), "msg": problem["msg"]} for problem in told]
