"""An environment for each contender, made once and used again."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.roster import MSGQUEUE, Environment, Language

ROOT = Path(__file__).resolve().parents[1]
RUBY_VERSIONS = """
ARGV.each { |name| gem name }
puts "ruby #{RUBY_VERSION}", ARGV.map { |name| "#{name} #{Gem.loaded_specs[name].version}" }
"""


class Absent(Exception):
    """What a contender needs is not on this machine; says what to install."""


class InstallationFailed(Exception):
    """The contender's installer ended with an error, which this carries."""


@dataclass(frozen=True)
class Ready:
    """An environment that is there.

    Attributes:
        agent: the command that starts the contender's agent in it.
        versions: what is installed.
    """

    agent: tuple[str, ...]
    versions: tuple[str, ...]


def prepare(environment: Environment, folder: Path) -> Ready:
    """Make it, unless it is there.

    Raises:
        Absent: its language is not installed.
        InstallationFailed: the registry did not answer, for example.
    """
    return _PREPARE[environment.language](environment, folder / environment.name)


def _python(environment: Environment, place: Path) -> Ready:
    python = place / "bin" / "python"
    requirements = list(environment.requirements)
    wanted = "\n".join(requirements)
    if environment is MSGQUEUE:
        requirements += ["--editable", str(ROOT)]
        wanted += (ROOT / "pyproject.toml").read_text()  # where our own requirements stand
    _once(place, wanted, lambda: _install_python(place, python, requirements))
    agent = str(python), "-m", "benchmarks.agent", environment.module
    return Ready(agent, environment.requirements)


def _install_python(place: Path, python: Path, requirements: list[str]) -> None:
    if _usable_uv():
        _run("uv", "venv", "--quiet", "--python", sys.executable, str(place))
        _run("uv", "pip", "install", "--quiet", "--python", str(python), *requirements)
    else:
        _run(sys.executable, "-m", "venv", str(place))
        _run(str(python), "-m", "pip", "install", "--quiet", *requirements)


def _usable_uv() -> bool:
    if shutil.which("uv") is None:
        return False
    return subprocess.run(["uv", "--version"], capture_output=True, check=False).returncode == 0


def _node(environment: Environment, place: Path) -> Ready:
    node, npm = _found("node"), _found("npm")
    packages, quiet = environment.requirements, ("--silent", "--no-audit", "--no-fund")
    _once(
        *(place, "\n".join(packages)),
        lambda: _run(npm, "install", *quiet, "--prefix", str(place), *packages),
    )
    modules = f"NODE_PATH={place / 'node_modules'}"
    agent = "env", modules, node, str(ROOT / "benchmarks/node/agent.js"), environment.module
    return Ready(agent, (f"node {_run(node, '--version').strip()}", *packages))


def _ruby(environment: Environment, _: Path) -> Ready:
    """Gems are taken as the machine has them, which a line of the report names."""
    ruby = _found("ruby")
    try:
        versions = _run(ruby, "-e", RUBY_VERSIONS, *environment.requirements)
    except InstallationFailed as error:
        names = " ".join(environment.requirements)
        packages = " ".join(f"ruby-{name}" for name in environment.requirements)
        raise Absent(f"install it with `gem install {names}` or Debian's {packages}") from error
    agent = ruby, str(ROOT / "benchmarks/ruby/agent.rb"), environment.module
    return Ready(agent, tuple(versions.splitlines()))


_PREPARE: Mapping[Language, Callable[[Environment, Path], Ready]] = {
    "python": _python,
    "node": _node,
    "ruby": _ruby,
}


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Absent(f"there is no {program} on PATH: install it")
    return path


def _once(place: Path, wanted: str, install: Callable[[], object]) -> None:
    note = place / "requirements.txt"
    if note.exists() and note.read_text() == wanted:
        return
    shutil.rmtree(place, ignore_errors=True)
    install()
    note.write_text(wanted)  # last: it says that all went well


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallationFailed(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    return done.stdout
