"""Who is measured, in which configuration, and the one place where versions are pinned."""

from dataclasses import dataclass
from typing import Literal

Language = Literal["python", "node", "ruby"]


@dataclass(frozen=True)
class Environment:
    """What is installed together.

    Attributes:
        name: of its folder.
        module: the file in `contenders/` that uses it.
        requirements: as pip or npm takes them; names of gems, which Ruby must have already.
        language: of that file.
    """

    name: str
    module: str
    requirements: tuple[str, ...]
    language: Language = "python"


REDIS = "redis[hiredis]==8.1.0"
MSGQUEUE = Environment("msgqueue", "msgqueue", (REDIS, "rq==3.0.0"))  # and this working tree
BARE = Environment("bare", "bare", (REDIS,))
RQ_2 = Environment("rq-2.12", "rq", (REDIS, "rq==2.12.0"))
RQ_3 = Environment("rq-3.0", "rq", (REDIS, "rq==3.0.0"))
DRAMATIQ = Environment("dramatiq", "dramatiq", (REDIS, "dramatiq[redis]==2.2.1"))
HUEY = Environment("huey", "huey", (REDIS, "huey==3.5.4"))
TASKIQ = Environment("taskiq", "taskiq", (REDIS, "taskiq[uv]==0.13.0", "taskiq-redis==1.2.4"))
CELERY = Environment("celery", "celery", (REDIS, "celery[redis]==5.7.0"))
SAQ = Environment(  # it imports typing_extensions and forgets to declare it
    "saq", "saq", ("redis[hiredis]==7.4.1", "saq[redis,hiredis]==0.26.4", "typing-extensions")
)
ARQ = Environment("arq", "arq", ("redis[hiredis]==5.3.1", "arq==0.28.0"))
BULLMQ = Environment(  # koffi maps the memory that the stamps are in
    "bullmq", "bullmq", ("bullmq@6.7.0", "ioredis@6.0.0", "koffi@3.3.4"), "node"
)
SIDEKIQ = Environment("sidekiq", "sidekiq", ("sidekiq",), "ruby")

Role = Literal["ours", "peer", "foreign", "floor"]

WHOLE = frozenset(
    {"drain", "single", "enqueue", "sleeps", "start", "result", "memory", "idle", "kill"}
)
OURS = WHOLE | {"sleeps200", "start16", "million"}
ONE_AT_A_TIME = WHOLE - {"sleeps"}
SAME_CLIENT = frozenset({"enqueue", "memory"})
"""What a second configuration of the workers does not change."""
NO_RESULTS = WHOLE - {"result"}
TUNED = frozenset({"drain", "single", "kill"})
RESULTS = frozenset({"drain", "single", "result", "memory"})


@dataclass(frozen=True)
class Contender:
    """One system in one configuration.

    Attributes:
        name: as logs and progress show it.
        environment: where it is installed.
        rate: about how many no-op jobs a second two processes do; sizes the drain, no more.
        variant: which configuration, as its file in `contenders/` names it.
        takes: the measurements that it takes part in.
        role: what it is to us: `peer` is one in Python, `foreign` in another language.
        extra: whether it is measured with `--all` alone.
        shown_as: the column of the table; None means the name.
    """

    name: str
    environment: Environment
    rate: int
    variant: str = ""
    takes: frozenset[str] = WHOLE
    role: Role = "peer"
    extra: bool = False
    shown_as: str | None = None

    @property
    def column(self) -> str:
        """Where the table shows its figures."""
        return self.shown_as or self.name


CONTENDERS = (
    Contender("msgqueue", MSGQUEUE, 25_000, "", OURS, "ours"),
    Contender(
        *("msgqueue three queues", MSGQUEUE, 25_000, "three queues", frozenset({"start3"})),
        role="ours",
        shown_as="msgqueue",
    ),
    Contender("rq 2.12 Worker", RQ_2, 110, "worker", ONE_AT_A_TIME - {"memory"}),
    Contender("rq 2.12 Simple", RQ_2, 500, "simple", ONE_AT_A_TIME - {"enqueue"}),
    Contender("rq 2.12 pool", RQ_2, 500, "pool", TUNED),
    Contender("rq 3.0 Worker", RQ_3, 110, "worker", ONE_AT_A_TIME - {"memory"}),
    Contender("rq 3.0 Simple", RQ_3, 500, "simple", ONE_AT_A_TIME - {"enqueue"}),
    Contender("rq 3.0 pool", RQ_3, 500, "pool", TUNED),
    Contender("Dramatiq", DRAMATIQ, 4_000, "", NO_RESULTS),
    Contender("Dramatiq tuned", DRAMATIQ, 6_000, "tuned", TUNED),
    Contender("Dramatiq results", DRAMATIQ, 4_000, "tuned results", RESULTS),
    Contender("Huey process", HUEY, 5_000, "process", NO_RESULTS - {"sleeps"}),
    Contender("Huey thread", HUEY, 6_000, "thread", NO_RESULTS - SAME_CLIENT),
    Contender("Huey notify", HUEY, 4_000, "notify", RESULTS - SAME_CLIENT),
    Contender("taskiq list", TASKIQ, 5_500, "list", NO_RESULTS),
    Contender("taskiq stream", TASKIQ, 5_500, "stream", NO_RESULTS),
    Contender("taskiq results", TASKIQ, 3_000, "stream results", RESULTS),
    Contender("BullMQ (Node)", BULLMQ, 9_000, role="foreign"),
    Contender("Sidekiq (Ruby)", SIDEKIQ, 12_000, "", NO_RESULTS, "foreign"),
    Contender("bare redis-py", BARE, 6_000, "", ONE_AT_A_TIME, "floor"),
    Contender("Celery prefork", CELERY, 900, "prefork", ONE_AT_A_TIME, extra=True),
    Contender("Celery threads", CELERY, 1_500, "threads", WHOLE - SAME_CLIENT, extra=True),
    Contender("SAQ", SAQ, 3_000, extra=True),
    Contender("arq", ARQ, 250, "", ONE_AT_A_TIME - SAME_CLIENT, extra=True),
    Contender("arq tuned", ARQ, 1_500, "tuned", extra=True),
)
