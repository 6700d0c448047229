"""The dotted path by which a worker finds a function."""

from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from inspect import unwrap
from pathlib import Path
from typing import Any

from msgqueue.errors import TaskNotImportable


def dotted_path(function: Callable[..., Any]) -> str:
    """`<module>.<function>`, with `__main__` written as the module's importable name.

    Raises:
        TaskNotImportable: no worker could import it: a lambda, a function inside a function, an
            object without a name, or one typed into an interactive session.
    """
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    if not module or not name:
        raise TaskNotImportable(repr(function), "it has no name of its own")
    if "<lambda>" in name:
        raise TaskNotImportable(f"{module}.{name}", "it is a lambda")
    if "<locals>" in name:
        raise TaskNotImportable(f"{module}.{name}", "it is defined inside a function")
    if module in ("__main__", "__mp_main__"):  # the latter in a spawned process
        module = _main_module(name, getattr(unwrap(function), "__globals__", {}))
    return f"{module}.{name}"


def _main_module(function: str, main: Mapping[str, Any]) -> str:
    """The name under which the running script can be imported."""
    spec: ModuleSpec | None = main.get("__spec__")
    if spec is not None:  # python -m package.module
        return spec.name
    file = main.get("__file__")
    if file is None:
        raise TaskNotImportable(f"__main__.{function}", "it was typed into an interactive session")
    found = find_spec(Path(file).stem) if Path(file).stem.isidentifier() else None
    if found is None or found.origin is None or not Path(found.origin).samefile(file):
        raise TaskNotImportable(f"__main__.{function}", f"{file} is no module on sys.path")
    return found.name
