"""A function's signature as pydantic reads it: checks a call, carries values to JSON and back."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from itertools import chain, repeat
from typing import Any, Final, TypeVar, Unpack, get_args, get_origin, get_type_hints

from pydantic import PydanticUserError, ValidationError, validate_call

from msgqueue.errors import ConfigurationError, InvalidArguments
from msgqueue.hints import Converter, is_plain, problems

T = TypeVar("T")
Arguments = tuple[tuple[Any, ...], dict[str, Any]]

_LEFT_OUT: Final = object()
_POSITIONAL: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)


class Signature:
    """What a task takes and returns, by its function's hints.

    Nothing is built before the first use, when every name in the hints can be resolved.

    Args:
        task: the task's name, for errors.
        function: whose hints count.
    """

    def __init__(self, task: str, function: Callable[..., Any]) -> None:
        self.task, self.function = task, function

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The function's parameters by name."""
        return inspect.signature(self.function).parameters

    @cached_property
    def plain(self) -> bool:
        """Whether arguments and result are JSON's own types, so that they travel as they are."""
        return not self._converters and self._result is None

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        """The arguments as the hints want them; what was left out stays left out.

        Raises:
            InvalidArguments: the signature or a type refuses them.
        """
        try:
            args, kwargs = self._validator(*args, **kwargs)
        except ValidationError as error:
            raise InvalidArguments(self.task, map(self._named, problems(error))) from None
        if self._has_defaults:
            args = tuple(value for value in args if value is not _LEFT_OUT)
            kwargs = {name: value for name, value in kwargs.items() if value is not _LEFT_OUT}
        return args, kwargs

    def to_json(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arguments:
        """Checked arguments in JSON's own types.

        Raises:
            InvalidArguments: a value has no JSON form.
        """
        return self._convert(Converter.dump, args, kwargs)

    def from_json(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arguments:
        """The arguments that `to_json` made JSON of.

        Raises:
            InvalidArguments: a value is not what its hint says.
        """
        return self._convert(Converter.load, args, kwargs)

    def result_to_json(self, value: Any) -> Any:
        """A return value in JSON's own types.

        Raises:
            TypeError: it is not what the return hint says, or has no JSON form.
        """
        if self._result is None:
            return value
        try:
            return self._result.dump_any(value)
        except ValueError as error:
            raise TypeError(
                f"task {self.task!r} returned a {type(value).__qualname__},"
                f" which its return hint {self._hints['return']!r} does not cover: {error}"
            ) from error

    def result_from_json(self, value: Any) -> Any:
        """The return value that `result_to_json` made JSON of."""
        return value if self._result is None else self._result.load(value)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        """The hint of each parameter and of `return`; Any where there is none."""
        try:
            hints = get_type_hints(self.function, include_extras=True)
        except NameError as error:
            raise ConfigurationError(
                f"the type hints of task {self.task!r} cannot be resolved: {error}."
                " Import or define the name at run time, at the top level of the task's module"
            ) from error
        return {name: hints.get(name, Any) for name in (*self.parameters, "return")}

    @cached_property
    def _validator(self) -> Callable[..., Arguments]:
        """A function of the same signature that answers with its checked arguments."""

        def call(*args: Any, **kwargs: Any) -> Arguments:
            return args, kwargs

        call.__signature__ = inspect.Signature(  # type: ignore[attr-defined] # read by inspect
            [
                p.replace(annotation=self._hints[p.name])
                if p.default is p.empty
                else p.replace(annotation=self._hints[p.name], default=_LEFT_OUT)
                for p in self.parameters.values()
            ]
        )
        call.__annotations__ = {name: self._hints[name] for name in self.parameters}
        return self._built("arguments", lambda: validate_call(call))

    @cached_property
    def _has_defaults(self) -> bool:
        return any(p.default is not p.empty for p in self.parameters.values())

    @cached_property
    def _positions(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters.values() if p.kind in _POSITIONAL)

    @cached_property
    def _rest(self) -> str:
        """The name of `*args`."""
        kind = inspect.Parameter.VAR_POSITIONAL
        return next((p.name for p in self.parameters.values() if p.kind is kind), "")

    @cached_property
    def _extra(self) -> str:
        """The name of `**kwargs`."""
        kind = inspect.Parameter.VAR_KEYWORD
        return next((p.name for p in self.parameters.values() if p.kind is kind), "")

    @cached_property
    def _converters(self) -> dict[str, Converter]:
        """The parameters whose hints are more than JSON, each with its converter."""
        hints = {name: self._hints[name] for name in self.parameters}
        if get_origin(hints.get(self._extra)) is Unpack:
            hints |= get_type_hints(get_args(hints.pop(self._extra))[0], include_extras=True)
        return {
            name: self._built(name, partial(Converter, hint))
            for name, hint in hints.items()
            if not is_plain(hint)
        }

    @cached_property
    def _result(self) -> Converter | None:
        hint = self._hints["return"]
        return None if is_plain(hint) else self._built("return", partial(Converter, hint))

    def _built(self, what: str, build: Callable[[], T]) -> T:
        try:
            return build()
        except PydanticUserError as error:
            raise ConfigurationError(
                f"the hint of {what!r} in task {self.task!r} cannot be carried to a worker:"
                f" {error.message.rstrip('.')}."
                " Use JSON's own types, a dataclass or a pydantic model"
            ) from error

    def _convert(
        self,
        convert: Callable[[Converter, Any], Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Arguments:
        def one(name: str, value: Any) -> Any:
            converter = self._converters.get(name)
            if converter is None:
                return value
            try:
                return convert(converter, value)
            except ValidationError as error:
                raise InvalidArguments(self.task, problems(error, name)) from None
            except (ValueError, RecursionError) as error:
                raise InvalidArguments(self.task, [{"loc": (name,), "msg": str(error)}]) from error

        names = chain(self._positions, repeat(self._rest))
        variable = {self._rest, self._extra}
        known = {*self.parameters, *self._converters} - variable
        return (
            tuple(one(name, value) for name, value in zip(names, args, strict=False)),
            {
                name: one(name if name in known else self._extra, value)
                for name, value in kwargs.items()
            },
        )

    def _named(self, problem: dict[str, Any]) -> dict[str, Any]:
        """A problem whose place is told by the parameter's name, not by its number."""
        first, *inner = problem["loc"]
        if isinstance(first, int):
            past = self._rest or f"argument {first + 1}"
            first = self._positions[first] if first < len(self._positions) else past
        return problem | {"loc": (first, *inner)}
