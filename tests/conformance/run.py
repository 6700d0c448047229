"""Runs rq's own tests with our code: python tests/conformance/run.py VERSION [PYTEST ARGS].

Those of workers get our worker class; those of queues and jobs get our store under rq's classes.

The tests come from rq's source distribution and use the Redis at port 6379: a private one, in a
network of its own where that can be made, else where the port is free. What fails is compared with
expected.toml: a failure that is not listed there, and a listed one that passes, fail the run.
"""

import ctypes
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from groups import is_about_queue_and_job

from msgqueue.embedded import binary

HERE = Path(__file__).parent
PORT = 6379
LOOK = 0.01  # seconds between two looks at a server, which tells nobody when it listens
A_TEST = 60  # seconds
CLONE_NEWNET = 0x40000000
UP = 1

# Only in rq's own commands: every other interpreter is left as it is.
CUSTOMIZE = """
import sys
from pathlib import Path
if any(Path(word).name in ("rq", "rqworker") for word in sys.orig_argv[:3]):
    import rq_plugin
"""


@dataclass(frozen=True)
class Verdict:
    """What one run of rq's tests says.

    Attributes:
        passed: tests that went through our code and passed, by group.
        counted: tests that went through our code, by group.
        others: how the rest ended.
        new: failures that are not listed.
        mended: listed tests that passed.
    """

    passed: Counter[str]
    counted: Counter[str]
    others: Counter[str]
    new: list[str]
    mended: list[str]

    @property
    def good(self) -> bool:
        """Whether all is as expected."""
        return not self.new and not self.mended


def judge(outcomes: Mapping[str, Mapping[str, object]], expected: Mapping[str, str]) -> Verdict:
    """Compare how tests ended with what is expected of them."""
    passed, counted, others = Counter[str](), Counter[str](), Counter[str]()
    for test, ended in outcomes.items():
        if not ended["ours"]:
            others[str(ended["outcome"])] += 1
            continue
        counted[group(test)] += 1
        passed[group(test)] += ended["outcome"] == "passed"
    failed = {test for test, ended in outcomes.items() if ended["outcome"] == "failed"}
    mended = [t for t in expected if t in outcomes and outcomes[t]["outcome"] == "passed"]
    return Verdict(passed, counted, others, sorted(failed - expected.keys()), sorted(mended))


def group(test: str) -> str:
    """A is workers, and B is queues and jobs."""
    return "B queue and job" if is_about_queue_and_job(test) else "A worker"


def expected_of(version: str) -> dict[str, str]:
    """The tests that are expected to fail with this version of rq, each with its reason."""
    listed = tomllib.loads((HERE / "expected.toml").read_text())["difference"]
    return {
        f"tests/{test}": one["reason"]
        for one in listed
        if version in one.get("versions", (version,))
        for test in one["tests"]
    }


@contextmanager
def sources(version: str) -> Iterator[Path]:
    """rq's tests of that version, without its package, which is installed."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        folder = Path(name)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", name]
        subprocess.run([*pip, "--no-binary", ":all:", f"rq=={version}"], check=True)
        (archive,) = folder.glob("rq-*.tar.gz")
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
        (unpacked,) = folder.glob("rq-*/")
        shutil.rmtree(unpacked / "rq")
        yield unpacked


def own_network() -> bool:
    """Move this process into a network of its own; False: it may not."""
    if not sys.platform.startswith("linux") or ctypes.CDLL(None).unshare(CLONE_NEWNET):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh", b"lo", UP)
        fcntl.ioctl(probe, 0x8914, request)  # SIOCSIFFLAGS
    return True


@contextmanager
def redis_at(folder: Path) -> Iterator[None]:
    """A Redis of this run's own at rq's port."""
    if not own_network() and _answers():
        sys.exit(f"port {PORT} is taken, and only root can make a network for this run")
    command = [binary.find(None), "--port", str(PORT), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while not _answers():
            if time.monotonic() > until or server.poll() is not None:
                sys.exit(f"the server for rq's tests does not answer at port {PORT}")
            time.sleep(LOOK)
        yield
    finally:
        server.kill()
        server.wait()


def _answers() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", PORT)) == 0


def run_tests(folder: Path, arguments: Sequence[str]) -> dict[str, dict[str, object]]:
    """Run rq's tests there; how each ended."""
    outcomes = folder / "outcomes.json"
    customize = folder / "customize"
    customize.mkdir(exist_ok=True)
    (customize / "sitecustomize.py").write_text(CUSTOMIZE)
    env = {
        **os.environ,
        "CONFORMANCE_COUNT": str(folder / "count"),
        "CONFORMANCE_OUTCOMES": str(outcomes),
        "PYTHONPATH": os.pathsep.join(
            [str(HERE), str(customize), os.environ.get("PYTHONPATH", "")]
        ),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "RUN_SLOW_TESTS_TOO": "1",
    }
    command = [sys.executable, str(HERE / "reaper.py"), sys.executable, "-m", "pytest"]
    command += ["-p", "rq_plugin", "-p", "no:cacheprovider"]
    command += ["--quiet", "--tb=short", "--disable-warnings", f"--timeout={A_TEST}"]
    subprocess.run([*command, *(arguments or ["tests"])], cwd=folder, env=env, check=False)
    read: dict[str, dict[str, object]] = json.loads(outcomes.read_text())
    return read


def again(
    folder: Path, outcomes: dict[str, dict[str, object]], expected: Mapping[str, str]
) -> dict[str, dict[str, object]]:
    """The outcomes, where tests that failed unexpectedly were given a second chance."""
    new = judge(outcomes, expected).new
    if not new:
        return outcomes
    print(f"\nonce more, alone: {', '.join(new)}\n", flush=True)
    return outcomes | run_tests(folder, new)


def tell(version: str, verdict: Verdict, expected: Mapping[str, str]) -> None:
    """Print the figures."""
    print(f"\nrq {version}'s own tests with msgqueue.RqWorker, and with our store under its queue")
    for name in sorted(verdict.counted):
        passed, counted = verdict.passed[name], verdict.counted[name]
        print(f"  {name}: {passed} of {counted} that went through our code passed")
    passed, counted = verdict.passed.total(), verdict.counted.total()
    print(f"  together: {passed} of {counted}, {100 * passed / max(counted, 1):.1f} %")
    rest = ", ".join(f"{count} {word}" for word, count in sorted(verdict.others.items()))
    print(f"  on code that we have from rq: {rest}")
    print(f"  expected differences: {len(expected)}")
    for test in verdict.new:
        print(f"  NOT EXPECTED: {test}")
    for test in verdict.mended:
        print(f"  PASSES, take it from the list: {test}")


def main(version: str, *arguments: str) -> int:
    """Run one version's tests; the exit code."""
    expected = expected_of(version)
    with sources(version) as folder, redis_at(folder):
        outcomes = again(folder, run_tests(folder, arguments), expected)
    verdict = judge(outcomes, expected)
    tell(version, verdict, expected)
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
