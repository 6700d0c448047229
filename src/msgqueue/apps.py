"""Finds the TaskQueue that `module:queue` on a command line names."""

import sys
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from msgqueue.errors import ConfigurationError
from msgqueue.queue import TaskQueue

EXAMPLE = "write module:queue, such as shop:queue for `queue = TaskQueue()` in shop.py"


def load(reference: str) -> TaskQueue:
    """Import the TaskQueue that `module:queue` names; the working directory is importable.

    Raises:
        ConfigurationError: there is none, or its module cannot be imported; in one line.
    """
    module_name, colon, attribute = reference.partition(":")
    if not colon or not module_name or not attribute:
        raise ConfigurationError(f"{reference!r} names no TaskQueue: {EXAMPLE}")
    module = _imported(module_name)
    found: Any = module
    for name in attribute.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, TaskQueue):
        what = "is not there" if found is None else f"is a {type(found).__name__}, no TaskQueue"
        raise ConfigurationError(f"{reference!r}: {attribute} {what}. {_hint(module)}")
    return found


def _imported(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _broken(name, error) from error
        raise ConfigurationError(
            f"no module {error.name!r} in {here} nor where Python looks: {EXAMPLE}"
        ) from error
    except Exception as error:  # the user's module runs here
        raise _broken(name, error) from error


def _broken(name: str, error: Exception) -> ConfigurationError:
    """The module is there and raises: told in one line, with the place."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(Path.cwd())]
    frame = (own or frames)[-1]
    where = f"{frame.filename}, line {frame.lineno}"
    if isinstance(error, SyntaxError):
        where = f"{error.filename}, line {error.lineno}"
    told = str(error).splitlines()
    return ConfigurationError(
        f"module {name!r} cannot be imported: {type(error).__name__}"
        f"{': ' + told[0] if told else ''} ({where})"
    )


def _hint(module: ModuleType) -> str:
    names = [name for name, value in vars(module).items() if isinstance(value, TaskQueue)]
    if not names:
        return f"Module {module.__name__!r} has no TaskQueue: {EXAMPLE}"
    return f"Did you mean {', '.join(f'{module.__name__}:{name}' for name in names)}?"
