"""The command `msgqueue`, a module for each kind of command; `command` puts them together."""

from msgqueue.cli.command import app, main

__all__ = ["app", "main"]
