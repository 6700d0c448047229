"""The checks of this project, one session each: `nox -l` lists them."""

import random
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests", "package", "docs"]
nox.options.reuse_existing_virtualenvs = True

TEST = ["-e", ".[dev]"]
TWO_AT_ONCE = ["-n", "2"]  # tests/lanes.py says which never
WHOLE = """
from importlib.resources import files
import msgqueue
assert files("msgqueue").joinpath("py.typed").is_file()
scripts = files("msgqueue.store").joinpath("scripts")
assert any(entry.name.endswith(".lua") for entry in scripts.iterdir())
"""


def _install(session: nox.Session, *requirements: str) -> None:
    session.run("pip", "install", "--quiet", *requirements, silent=True)


def _run_anew(session: nox.Session, profile: str) -> None:
    """Run the tests of a profile of Hypothesis, which bear its name, with a seed not used yet.

    One such test may take long; told of its stacks meanwhile, Python 3.11 can crash under a tracer.
    """
    _install(session, *TEST)
    seed = f"--hypothesis-seed={random.randrange(1 << 32)}"  # noqa: S311 - a choice, no secret
    how = (f"--hypothesis-profile={profile}", seed, "--override-ini=faulthandler_timeout=0")
    session.run("python", "-m", "pytest", f"tests/{profile}", *how, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format and the direction of imports."""
    _install(session, "-e", ".", "--group", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-logo", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """The mypy types of the package, its tests, and each example by itself."""
    _install(session, *TEST, "--group", "types")
    session.run("mypy")
    session.chdir("examples/wordcount")
    session.run("mypy", "--strict", ".")


@nox.session
@nox.parametrize("rq", ["2.12", "3.0"])
def tests(session: nox.Session, rq: str) -> None:
    """The tests, on both lines of rq; arguments go to pytest."""
    _install(session, *TEST, f"rq=={rq}.*")
    session.run("python", "-m", "pytest", *TWO_AT_ONCE, *session.posargs)


@nox.session
@nox.parametrize("rq", ["2.12.0", "3.0.0"])
def conformance(session: nox.Session, rq: str) -> None:
    """rq's own tests, of both lines, with our worker class; arguments go to their pytest."""
    _install(session, "-e", ".[embedded]", f"rq=={rq}", "pytest>=8", "pytest-timeout", "psutil")
    session.run("python", "tests/conformance/run.py", rq, *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Every fault at its full size, three at a time, and the table of what each came to."""
    _install(session, *TEST)
    tests = "tests/faults", "tests/worker/test_chaos.py"
    together = "--numprocesses=3", "--dist=worksteal"
    session.run("python", "-m", "pytest", *tests, "--faults", *together, *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """A mix of faults for so many minutes, 30 by default: `nox -s soak -- 5`."""
    _install(session, *TEST)
    minutes, *more = session.posargs or ["30"]
    seconds = 60 * float(minutes)
    how = f"--soak={seconds}", f"--override-ini=faulthandler_timeout={seconds + 600}"
    session.run("python", "-m", "pytest", "tests/faults/test_soak.py", *how, *more)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Whatever comes from outside, damaged in ways not tried before; the seed repeats it."""
    _run_anew(session, "fuzz")


@nox.session
def simulate(session: nox.Session) -> None:
    """Thousands of seeded runs under a virtual clock; arguments go to tests.simulation."""
    _install(session, *TEST)
    session.run("python", "-m", "tests.simulation", *session.posargs, env={"PYTHONPATH": "."})


@nox.session
def model(session: nox.Session) -> None:
    """Thousands of sequences of steps never tried before, against the model; the seed repeats."""
    _run_anew(session, "model")


@nox.session
def package(session: nox.Session) -> None:
    """The wheel, as a user installs it, without any extra."""
    wheels = session.create_tmp()
    session.run("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, ".", silent=True)
    wheel = max(Path(wheels).glob("*.whl"), key=lambda path: path.stat().st_mtime)
    _install(session, "--force-reinstall", str(wheel))
    session.chdir(wheels)
    session.run("python", "-c", WHOLE)
    session.run("msgqueue", "--help", silent=True)


@nox.session
def coverage(session: nox.Session) -> None:
    """The tests again, with the lines that they reach."""
    _install(session, *TEST)
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, built into site/; a warning is an error."""
    _install(session, "--group", "docs")
    session.run("zensical", "build", "--strict", "--clean")


@nox.session
def bench(session: nox.Session) -> None:
    """Our speed beside our peers', in one run; arguments go to `python -m benchmarks`."""
    _install(session, "-e", ".[embedded]")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
@nox.parametrize("rq", ["2.12", "3.0"])
def kills(session: nox.Session, rq: str) -> None:
    """Jobs under kill -9 of children and supervisors, also beside a plain rq worker."""
    _install(session, "-e", ".[server,embedded]", f"rq=={rq}.*")
    session.run("python", "-m", "benchmarks.kill_workers", *session.posargs)
    session.run("python", "-m", "benchmarks.kill_workers", "--mixed", *session.posargs)
