"""Named points at which a test may kill, stop or delay a process."""

from collections.abc import Callable

_Hook = Callable[[str], None]
_hooks: list[_Hook] = []


def fault_point(name: str) -> None:
    """A step at which a crash matters. Does nothing unless a test has installed a hook."""
    if _hooks:
        _hooks[0](name)


def install_hook(hook: _Hook) -> None:
    """Call `hook` with the name of every point that is passed. For tests alone."""
    _hooks[:] = [hook]
