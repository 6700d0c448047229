"""Who is measured, and the one place where versions are pinned."""

from dataclasses import dataclass, replace

EVERYTHING = frozenset(
    {"drain", "single", "enqueue", "sleeps", "start", "result", "memory", "idle", "kill"}
)
NO_RESULTS = EVERYTHING - {"result"}
RESULTS = frozenset({"drain", "single", "result", "memory"})
TUNED = frozenset({"drain", "single", "kill"})

REDIS = "redis[hiredis]==8.1.0"
MSGQUEUE = (REDIS, "rq==3.0.0")  # and this working tree
RQ_2 = (REDIS, "rq==2.12.0")
RQ_3 = (REDIS, "rq==3.0.0")
DRAMATIQ = (REDIS, "dramatiq[redis]==2.2.1")
HUEY = (REDIS, "huey==3.5.4")
TASKIQ = (REDIS, "taskiq[uv]==0.13.0", "taskiq-redis==1.2.4")


@dataclass(frozen=True)
class Contender:
    """One system in one configuration.

    Attributes:
        name: as the table shows it.
        module: its file in `contenders/`.
        environment: the name of its environment; contenders of one name share it.
        requirements: what pip installs there.
        rate: about how many no-op jobs a second two processes do; sizes the drain, no more.
        variant: which configuration, as its file names it.
        takes: the measurements that it takes part in.
        peer: whether it counts as a Python peer, against which ours is compared.
        extra: whether it is measured with `--all` alone.
    """

    name: str
    module: str
    environment: str
    requirements: tuple[str, ...]
    rate: int
    variant: str = ""
    takes: frozenset[str] = EVERYTHING
    peer: bool = True
    extra: bool = False


def _contender(
    name: str, environment: str, requirements: tuple[str, ...], rate: int, variant: str = ""
) -> Contender:
    module = environment.partition("-")[0]
    return Contender(name, module, environment, requirements, rate, variant)


def _rq(version: str, requirements: tuple[str, ...]) -> tuple[Contender, ...]:
    environment, name = f"rq-{version}", f"rq {version}"
    worker = _contender(f"{name} Worker", environment, requirements, 100, "worker")
    simple = _contender(f"{name} Simple", environment, requirements, 500, "simple")
    pool = _contender(f"{name} pool", environment, requirements, 500, "pool")
    return (
        replace(worker, takes=EVERYTHING - {"sleeps"}),
        replace(simple, takes=EVERYTHING - {"sleeps", "enqueue", "memory"}),
        replace(pool, takes=TUNED),
    )


def _dramatiq() -> tuple[Contender, ...]:
    tuned = _contender("Dramatiq tuned", "dramatiq", DRAMATIQ, 6_000, "tuned")
    results = _contender("Dramatiq results", "dramatiq", DRAMATIQ, 4_000, "tuned results")
    return (
        replace(_contender("Dramatiq", "dramatiq", DRAMATIQ, 4_000), takes=NO_RESULTS),
        replace(tuned, takes=TUNED),
        replace(results, takes=RESULTS),
    )


def _huey() -> tuple[Contender, ...]:
    process = _contender("Huey process", "huey", HUEY, 5_000, "process")
    thread = _contender("Huey thread", "huey", HUEY, 5_000, "thread")
    notify = _contender("Huey notify", "huey", HUEY, 4_000, "notify")
    return (
        replace(process, takes=NO_RESULTS - {"sleeps"}),
        replace(thread, takes=NO_RESULTS - {"enqueue", "memory"}),
        replace(notify, takes=RESULTS - {"memory"}),
    )


def _taskiq() -> tuple[Contender, ...]:
    results = _contender("taskiq results", "taskiq", TASKIQ, 3_000, "stream results")
    return (
        replace(_contender("taskiq list", "taskiq", TASKIQ, 5_000, "list"), takes=NO_RESULTS),
        replace(_contender("taskiq stream", "taskiq", TASKIQ, 5_000, "stream"), takes=NO_RESULTS),
        replace(results, takes=RESULTS),
    )


CONTENDERS = (
    replace(_contender("msgqueue", "msgqueue", MSGQUEUE, 15_000), peer=False),
    *_rq("2.12", RQ_2),
    *_rq("3.0", RQ_3),
    *_dramatiq(),
    *_huey(),
    *_taskiq(),
)
