"""A virtual environment for each contender, made once and used again."""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.roster import MSGQUEUE, Environment

ROOT = Path(__file__).resolve().parents[1]


def python_of(environment: Environment, folder: Path) -> Path:
    """The interpreter of that environment, which is made if it is not there."""
    place = folder / environment.name
    python, note = place / "bin" / "python", place / "requirements.txt"
    requirements = list(environment.requirements)
    wanted = "\n".join(requirements)
    if environment is MSGQUEUE:
        requirements += ["--editable", str(ROOT)]
        wanted += (ROOT / "pyproject.toml").read_text()  # where our own requirements stand
    if not note.exists() or note.read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        _install(place, python, requirements)
        note.write_text(wanted)  # last: it says that all went well
    return python


def _install(place: Path, python: Path, requirements: list[str]) -> None:
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


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    return done.stdout
