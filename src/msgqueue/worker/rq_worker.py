"""The drop-in for rq: `rq worker --worker-class msgqueue.RqWorker`."""

import multiprocessing
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, Final

from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT
from rq.logutils import green, setup_loghandlers
from rq.scheduler import RQScheduler

from msgqueue.errors import RedisError
from msgqueue.observe.logs import make_heard
from msgqueue.queue import TaskQueue
from msgqueue.store import keys, steps
from msgqueue.store.codec import now_text, text
from msgqueue.store.messages import Promoted
from msgqueue.worker import memory
from msgqueue.worker.identity import Identity
from msgqueue.worker.loop import Loop
from msgqueue.worker.order import Turns
from msgqueue.worker.os_signals import Signals
from msgqueue.worker.plan import Plan
from msgqueue.worker.rq_overrides import heeded, unheeded
from msgqueue.worker.rq_performing import PerformingWorker
from msgqueue.worker.rq_rules import RqRules
from msgqueue.worker.scaling import Bounds
from msgqueue.worker.shared import NEVER
from msgqueue.worker.terms import Terms

TURNS: Final[dict[str, Turns]] = {
    "default": "strict",
    "round_robin": "round_robin",
    "random": "random",
}
INSIST: Final = 1.0  # seconds after a first signal in which rq ignores a second one


class RqWorker(PerformingWorker):
    """An rq worker that runs its jobs in a warm process, under a supervisor of msgqueue.

    Used in place of `rq.Worker`, most often as `rq worker --worker-class msgqueue.RqWorker`: with
    the same arguments, flags, jobs, serializer and data in Redis. Any importable function runs, and
    a job whose process dies fails, or is retried where it has rq's Retry: both are rq's rules.

    One job runs at a time, in a process that the next job finds warm: what a job leaves behind in
    module globals is there for the next. A process that died is replaced.
    """

    def work(
        self,
        burst: bool = False,
        logging_level: str | None = None,
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
        max_jobs: int | None = None,
        max_idle_time: int | None = None,
        with_scheduler: bool = False,
        dequeue_strategy: Any = "default",
    ) -> bool:
        """Work until it is told to end; in the main thread.

        Args:
            burst: end when the queues are empty.
            logging_level: of rq's log; None leaves it as it is.
            date_format: of rq's log.
            log_format: of rq's log.
            max_jobs: end after so many jobs.
            max_idle_time: end after so many seconds without a job.
            with_scheduler: queue jobs that are due, unless an rq scheduler does.
            dequeue_strategy: `default`, `round_robin` or `random`.

        Returns:
            Whether any job was run.

        Raises:
            ValueError: a worker of this name is alive, or the strategy is unknown.
            SystemExit: a second signal ended it under a job.
        """
        turns = _turns_of(dequeue_strategy)
        for name in ("rq.worker", "rq.job"):
            setup_loghandlers(logging_level, date_format, log_format, name=name)
        make_heard()  # rq's command configures its own loggers alone
        self._check_names()
        self._claim_name()
        self._tell()
        plan = Plan(
            TaskQueue(connection=self.connection),
            self._terms(turns, max_jobs),
            Bounds(1, 1),
            identity=self._identity(),
            burst=burst,
            idle=NEVER if max_idle_time is None else max_idle_time,
            promotes=with_scheduler,
            insist=INSIST,
        )
        with self._scheduling(plan.queue) if with_scheduler else nullcontext():
            return self._run_loop(plan)

    def _terms(self, turns: Turns, jobs: int | None) -> Terms:
        """How rq's workers work: one job at a time, which does not outlive its process."""
        return Terms(
            tuple(self.queue_names()),
            claim=1,
            order=turns,
            jobs=jobs,
            max_deliveries=1,
            result_ttl=self.default_result_ttl,
            lets_end=True,
            rules=partial(RqRules, self),
        )

    def _run_loop(self, plan: Plan) -> bool:
        memory.settle()
        with Signals() as signals:
            loop = Loop(plan, multiprocessing.get_context("fork"), signals)
            loop.run()
        self.log.info("Worker %s: done, %d jobs were run", self.name, loop.done)
        self._stop_requested = loop.interrupted > 0
        if loop.forced:
            raise SystemExit
        return loop.done > 0

    def _check_names(self) -> None:
        """Refuse classes that keep their jobs, queues or workers under keys of their own."""
        for kind, prefix, ours in (
            (self.job_class, self.job_class.redis_job_namespace_prefix, keys.job("")),
            (self.queue_class, self.queue_class.redis_queue_namespace_prefix, keys.queue("")),
            (type(self), self.redis_worker_namespace_prefix, keys.worker("")),
        ):
            if prefix != ours:
                raise ValueError(
                    f"{kind.__name__} keeps its keys under {prefix!r}: RqWorker finds them under"
                    f" {ours!r} alone"
                )

    def _claim_name(self) -> None:
        """Refuse a name that is alive; take over one whose process on this machine is dead."""
        fields: Any = ("death", "hostname", "pid")
        values: Any = self.connection.hmget(self.key, fields)
        death, host, pid = map(text, values)
        if death or not host:
            return
        if not _is_dead(host, pid):
            raise ValueError(f"There exists an active worker named {self.name!r} already")
        self.connection.delete(self.key)

    def _identity(self) -> Identity:
        return Identity(
            rq_version=self.version,
            python_version=self.python_version,
            ip_address=self.ip_address or "",
            name=self.name,
        )

    @contextmanager
    def _scheduling(self, queue: TaskQueue) -> Iterator[None]:
        """Show a scheduler to whoever asks. Our own steps do its work: here, what is due by now."""
        self.scheduler = RQScheduler(
            self.queues, connection=self.connection, serializer=self.serializer, name=self.name
        )
        self._promote(queue)
        try:
            yield
        finally:
            self._leave_promoting(queue)

    def _promote(self, queue: TaskQueue) -> None:
        """Queue what is due: a burst would not wait for it."""
        found: dict[str, Promoted] = {}
        while not found or any(one.moved for one in found.values()):
            step = steps.promote(self.queue_names(), self.name, now_text())
            found = queue.store.run(step)

    def _leave_promoting(self, queue: TaskQueue) -> None:
        """Give rq's locks back; they run out by themselves while Redis is away."""
        with suppress(RedisError):
            for name in self.queue_names():
                queue.store.run(steps.leave_promoting(name, self.name))

    def _tell(self) -> None:
        log = self.log
        log.info("Worker %s: started with PID %d, by msgqueue", self.name, os.getpid())
        log.info("*** Listening on %s...", green(", ".join(self.queue_names())))
        if foreign := heeded(self):
            log.warning(
                "Worker %s: %s overridden or replaced: jobs take rq's own path, which reads each"
                " of them and takes about twice the time",
                self.name,
                _listed(foreign),
            )
        if foreign := unheeded(self):
            log.warning(
                "Worker %s: %s overridden or replaced, and not called: jobs share a warm process",
                self.name,
                _listed(foreign),
            )


def _turns_of(strategy: Any) -> Turns:
    turns = TURNS.get(getattr(strategy, "value", strategy))
    if turns is None:
        raise ValueError(f"Dequeue strategy {strategy} is not allowed.")
    return turns


def _listed(names: list[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _is_dead(host: str, pid: str) -> bool:
    """Whether a process was of this machine, and is gone."""
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and is somebody else's
        pass
    return False
