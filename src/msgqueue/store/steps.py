"""The steps of the protocol: one function a step, which does no I/O and returns what to call.

Each changes the state of jobs in one Lua script, so that no crash can fall between its parts. The
script's file says what it reads, decides and writes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from msgqueue.errors import DamagedJob
from msgqueue.jobs import (
    Claimed,
    Enqueued,
    JobError,
    JobSpec,
    JobStatus,
    Outcome,
    StoredResult,
)
from msgqueue.settings import DEFAULT_MAX_DELIVERIES, DEFAULT_TIMEOUT
from msgqueue.store import keys
from msgqueue.store.codec import (
    INFO_FIELDS,
    error_of,
    job_info,
    moment_texts,
    pack_traceback,
    pack_value,
    parse_status,
    parse_time,
    rare_fields,
    stored_result,
    text,
    time_text,
)
from msgqueue.store.dump import LARGEST, result_dump
from msgqueue.store.messages import (
    Arg,
    Beat,
    Beaten,
    Cancelled,
    Ended,
    Entry,
    Lane,
    Leftovers,
    Promoted,
    Requeued,
    Row,
    Rows,
    Settled,
    Stored,
    Swept,
    Worked,
    Worker,
    WorkerInfo,
)
from msgqueue.store.script import Script, script

R = TypeVar("R")

LOST = (
    "WorkerDied: the process that ran this job died, or was out of touch for longer than its lease,"
    " as often as max_deliveries allows"
)

#: What rq writes where it finds such a job itself.
ABANDONED = "Moved to FailedJobRegistry, due to AbandonedJobError"

#: The place in which jobs of a status lie: what stands between rq's prefix and the queue's name.
PLACES = {
    JobStatus.QUEUED: "queue",
    JobStatus.STARTED: "wip",
    JobStatus.SCHEDULED: "scheduled",
    JobStatus.DEFERRED: "deferred",
    JobStatus.FINISHED: "finished",
    JobStatus.FAILED: "failed",
    JobStatus.STOPPED: "failed",
    JobStatus.CANCELED: "canceled",
}

#: The statuses by which `counts` answers, in its order; stopped jobs count as failed.
COUNTED = tuple(status for status in PLACES if status is not JobStatus.STOPPED)


class Step(NamedTuple, Generic[R]):
    """One call to Redis: a script, its keys and arguments, and how its answer is read.

    Attributes:
        meanwhile: called while Redis is at work, by who waits for its answer and nothing else.
    """

    script: Script
    keys: Sequence[str]
    args: Sequence[Arg]
    decode: Callable[[Any], R]
    meanwhile: Callable[[], None] | None = None


def enqueue(
    specs: Sequence[JobSpec], meanwhile: Callable[[], None] | None = None
) -> Step[tuple[Enqueued, ...]]:
    """Creates jobs; an id that is alive is left as it is, the very same call again changes nothing.

    The caller bounds the number: 500 jobs or 1 MiB a call.
    """
    args: list[Arg] = []
    for s in specs:
        rare = rare_fields(s)
        args += (s.id, s.queue, _place(s), int(s.unique), time_text(s.created_at))
        args += (s.timeout, s.task, s.data, s.description, len(rare) // 2, *rare)

    def decode(raw: list[Any]) -> tuple[Enqueued, ...]:
        enqueued = [Enqueued(s.id, True, _first_status(s)) for s in specs]
        for number, made, word in zip(raw[::3], raw[1::3], raw[2::3], strict=True):
            spec = specs[number - 1]
            enqueued[number - 1] = Enqueued(spec.id, bool(made), parse_status(spec.id, word))
        return tuple(enqueued)

    return Step(script("enqueue"), (), args, decode, meanwhile)


def _first_status(spec: JobSpec) -> JobStatus:
    return JobStatus.QUEUED if spec.due is None else JobStatus.SCHEDULED


def _place(spec: JobSpec) -> Arg:
    if spec.due is not None:
        return spec.due
    return "front" if spec.front else "back"


def work(
    lane: Lane,
    seq: int,
    outcomes: Sequence[Outcome],
    queues: Sequence[str],
    count: int,
    now_text: str,
) -> Step[Worked]:
    """Reports outcomes and claims up to `count` jobs (at most 64 a queue) in the queues' order.

    The same seq again answers with the same jobs. `now_text` is rq's text of the time, shown as the
    jobs' begin until their report corrects it.
    """
    args: list[Arg] = [lane.worker, seq, lane.id, count, now_text, len(queues), *queues]
    args.append(len(outcomes))
    for outcome in outcomes:
        args += _outcome(lane.worker, outcome)
    decode = partial(_worked, f"{lane.id}.{seq}")
    return Step(script("work"), (keys.worker(lane.worker),), args, decode)


def _outcome(worker: str, outcome: Outcome) -> tuple[Arg, ...]:
    queue, job_id, execution, kind, value, started, ended = outcome
    begin, begin_text = moment_texts(started)
    end, end_text = moment_texts(ended)
    dump = b""
    if kind in ("ok", "repeat"):
        value = pack_value(value)
        if len(value) <= LARGEST:
            times = begin.encode(), end.encode()
            dump = result_dump(int(ended * 1000), worker, value, execution, *times)
    elif kind == "error":
        value = pack_traceback(value)
    return queue, job_id, execution, kind, value, begin, end, begin_text, end_text, dump


def _worked(execution: str, raw: list[Any]) -> Worked:
    first = 2 + raw[1]
    refused = tuple(text(member) for member in raw[2:first])
    fields = (raw[at::6] for at in range(first, first + 6))
    claimed = tuple(
        Claimed(
            queue.decode(),
            job_id.decode(),
            execution,
            data,
            DEFAULT_TIMEOUT if timeout == b"" else timeout,
            1 + runs,
            not plain,
        )
        for queue, job_id, data, timeout, plain, runs in zip(*fields, strict=True)
    )
    return Worked(raw[0].decode(), refused, claimed)


def register(lane: Lane, worker: Worker, now_text: str) -> Step[bool]:
    """Shows a child as an rq worker and opens its lane."""
    args: list[Arg] = [lane.worker, lane.id, now_text, *worker.fields(), "state", "idle"]
    return Step(script("register"), (keys.worker(lane.worker),), args, bool)


def release(
    entries: Sequence[Entry], now_text: str, outcomes: Sequence[Outcome] = (), worker: str = ""
) -> Step[int]:
    """Claimed jobs that did not begin go back to the front of their queues, nothing counted.

    `outcomes`: what that worker has ended, and is too busy to report itself.
    """
    args: list[Arg] = [now_text, worker, len(outcomes)]
    for outcome in outcomes:
        args += _outcome(worker, outcome)
    for entry in entries:
        args += entry
    return Step(script("release"), (), args, int)


def settle(
    lane: Lane,
    outcomes: Sequence[Outcome],
    ended: Sequence[Ended],
    held: Sequence[Entry],
    now_text: str,
    max_deliveries: int = DEFAULT_MAX_DELIVERIES,
) -> Step[Settled]:
    """The account of a dead child: what it ended, what it ran, what it held. Closes its lane."""
    args: list[Arg] = [lane.worker, lane.id, now_text, max_deliveries, len(outcomes)]
    for outcome in outcomes:
        args += _outcome(lane.worker, outcome)
    args.append(len(ended))
    for queue, job_id, execution, cause, reason, started, at in ended:
        begin, begin_text = moment_texts(started)
        end, end_text = moment_texts(at)
        why = pack_traceback(reason.encode())
        args += (queue, job_id, execution, cause, why, begin, end, begin_text, end_text, b"")
    for entry in held:
        args += entry
    return Step(script("settle"), (keys.worker(lane.worker),), args, _settled)


def _settled(raw: list[Any]) -> Settled:
    return Settled(raw[0], raw[1], tuple(text(execution) for execution in raw[2:]))


def beat(beats: Sequence[Beat], now_text: str) -> Step[tuple[Beaten, ...]]:
    """Keeps children registered and their jobs leased; answers what was lost or shall stop."""
    args: list[Arg] = [now_text]
    for one in beats:
        fields = one.worker.fields()
        state = "busy" if one.current else "idle"
        args += (one.lane.worker, one.lane.id, one.seq, state, one.current, one.working_time)
        args += (one.succeeded, one.failed, len(fields), *fields, len(one.entries))
        for entry in one.entries:
            args += (*entry, int(entry.member in one.running))
    return Step(script("beat"), (), args, _beaten)


def _beaten(raw: list[Any]) -> tuple[Beaten, ...]:
    return tuple(
        Beaten(bool(closed), _members(lost), _members(stop), _members(dropped), bool(replaced))
        for closed, replaced, lost, stop, dropped in raw
    )


def _members(raw: list[bytes]) -> frozenset[str]:
    return frozenset(map(text, raw))


def note_shutdown(workers: Sequence[str], now_text: str) -> Step[int]:
    """Shows of workers when they were asked to end; how many there were."""
    return Step(script("note_shutdown"), (), (now_text, *workers), int)


def lead(token: str) -> Step[bool]:
    """Takes or renews the upkeep lock: each second, by who wants to sweep."""
    return Step(script("lead"), (f"{keys.MQ}upkeep",), (token,), bool)


def sweep(token: str, now_text: str, max_deliveries: int = DEFAULT_MAX_DELIVERIES) -> Step[Swept]:
    """Puts right what nobody refreshed for 8 s; at most 100 jobs a queue."""
    args: tuple[Arg, ...] = (token, now_text, max_deliveries, pack_traceback(LOST.encode()))

    def decode(raw: list[Any]) -> Swept:
        return Swept(raw[0].decode(), raw[1], raw[2], raw[3], float(raw[4]))

    return Step(script("sweep"), (f"{keys.MQ}upkeep",), args, decode)


def leftovers(token: str, now_text: str) -> Step[Leftovers]:
    """Ends what plain rq workers that died have left behind, by rq's rules."""
    reason = pack_traceback(f"{ABANDONED}, at {now_text}".encode())
    args = (token, now_text, reason)
    return Step(script("leftovers"), (f"{keys.MQ}upkeep",), args, lambda raw: Leftovers(*raw))


def promote(queues: Sequence[str], holder: str, now_text: str) -> Step[dict[str, Promoted]]:
    """Queues the due jobs of each queue, at most 100, unless a plain rq scheduler minds it."""

    def decode(raw: list[Any]) -> dict[str, Promoted]:
        said = (
            Promoted(word == b"busy", moved, float(rest) if rest else None)
            for word, moved, rest in raw
        )
        return dict(zip(queues, said, strict=True))

    return Step(script("promote"), (), (holder, now_text, *queues), decode)


def leave_promoting(queue: str, holder: str) -> Step[bool]:
    """Gives a queue's scheduler lock back."""
    return Step(script("unlock"), (f"{keys.RQ}scheduler-lock:{queue}",), (holder,), bool)


def handover(now_text: str) -> Step[int]:
    """Queues dependents of jobs that have ended, at most 100; how many."""
    return Step(script("handover"), (), (now_text,), int)


def trim(queue: str) -> Step[int]:
    """Drops what has expired from a queue's registries; how many ids."""
    return Step(script("trim"), (), (queue,), int)


def stop(job_id: str, execution: str = "") -> Step[Entry | None]:
    """Asks for the end of a job's execution, or of that one alone.

    Answers which it is; None if none of ours has the job, or it is another one.
    """

    def decode(raw: list[bytes] | None) -> Entry | None:
        return Entry(text(raw[0]), job_id, text(raw[1])) if raw else None

    return Step(script("stop"), (), (job_id, execution), decode)


def cancel(job_id: str, now_text: str) -> Step[Cancelled]:
    """Cancels a job that waits; asks a claimed one to stop; leaves a final one."""

    def decode(raw: list[bytes]) -> Cancelled:
        match raw[0]:
            case b"missing":
                return Cancelled(None)
            case b"stopping":
                return Cancelled(JobStatus.STARTED, stopping=True)
            case b"canceled":
                return Cancelled(JobStatus.CANCELED)
        return Cancelled(parse_status(job_id, raw[1]))

    return Step(script("cancel"), (), (job_id, now_text), decode)


def requeue(job_id: str, now_text: str) -> Step[Requeued]:
    """Runs a final job once more; one that is not final is left as it is.

    Raises, when its answer is read:
        DamagedJob: it is left as it is, with a status that nobody writes.
    """

    def decode(raw: list[bytes]) -> Requeued:
        if raw[0] == b"missing":
            return Requeued(None, done=False)
        return Requeued(parse_status(job_id, raw[-1]), raw[0] == b"queued")

    return Step(script("requeue"), (), (job_id, now_text), decode)


def delete(job_id: str, now_text: str) -> Step[Literal["deleted", "refused", "missing"]]:
    """Removes a job that does not run, with all that belongs to it.

    Dependents that wait for this job alone are cancelled, unless it finished.
    """
    return Step(script("delete"), (), (job_id, now_text), lambda raw: raw[0].decode())


def counts(queues: Sequence[str]) -> Step[dict[str, dict[JobStatus, int]]]:
    """How many jobs lie in each place of each queue; stopped ones count as failed."""

    def decode(raw: list[list[int]]) -> dict[str, dict[JobStatus, int]]:
        return {q: dict(zip(COUNTED, row, strict=True)) for q, row in zip(queues, raw, strict=True)}

    return Step(script("counts"), (), queues, decode)


def queues() -> Step[tuple[str, ...]]:
    """The names of all queues that rq or msgqueue ever used, sorted."""

    def decode(raw: list[bytes]) -> tuple[str, ...]:
        return tuple(sorted(text(key).removeprefix(keys.queue("")) for key in raw))

    return Step(script("queues"), (), (), decode)


def waiting(queues: Sequence[str]) -> Step[dict[str, int]]:
    """How many ids wait in each queue to be claimed: none while `rq suspend` holds."""
    return Step(script("waiting"), (), queues, lambda raw: dict(zip(queues, raw, strict=True)))


def writable() -> Step[bool]:
    """Whether Redis takes writes: fails as any of them would, memory left aside."""
    return Step(script("writable"), (), (), bool)


def supervisors() -> Step[int]:
    """How many supervisors have children registered."""
    return Step(script("supervisors"), (), (), int)


def oldest(queues: Sequence[str]) -> Step[float]:
    """For how many seconds the job that waits longest at the head of these queues has waited."""

    def decode(raw: list[bytes]) -> float:
        enqueued = (parse_time(at) for at in raw[1:])
        return max((float(raw[0]) - at.timestamp() for at in enqueued if at), default=0.0)

    return Step(script("oldest"), (), queues, lambda raw: max(0.0, decode(raw)))


def page(
    queue: str,
    status: JobStatus,
    limit: int,
    anchor: tuple[str, str] = ("", ""),
    offset: int = 0,
) -> Step[Rows]:
    """Part of one place of one queue, newest first; a job that cannot be read is left out.

    It begins behind `anchor`; where that is empty, `offset` rows are skipped.
    """
    failed = PLACES[status] == "failed"
    args: list[Arg] = [PLACES[status], queue, *anchor, offset, limit, int(failed), *INFO_FIELDS]

    def decode(raw: list[Any]) -> Rows:
        last = (text(raw[-1][1]), text(raw[-1][0])) if len(raw) == limit else None
        return Rows(tuple(row for row in map(_row, raw) if row), last)

    return Step(script("page"), (), args, decode)


def _row(raw: list[Any]) -> Row | None:
    job_id, score, values, entry = raw
    name = text(job_id)
    try:
        return Row(job_info(name, values, _error(_result(entry))), (text(score), name))
    except DamagedJob:
        return None


def _result(entry: list[bytes] | None) -> StoredResult | None:
    try:
        return stored_result(entry) if entry else None
    except ValueError:
        return None


def _error(result: StoredResult | None) -> JobError | None:
    if result is None or result.kind == "ok" or not result.traceback:
        return None
    return error_of(result.traceback)


def read(job_id: str) -> Step[Stored | None]:
    """One job and its newest result; None if there is no such job.

    Raises, when its answer is read:
        DamagedJob: its hash or its result cannot be read.
    """

    def decode(raw: list[Any] | None) -> Stored | None:
        if not raw:
            return None
        values, entry = raw
        try:
            result = stored_result(entry) if entry else None
        except ValueError as error:
            raise DamagedJob(job_id, str(error)) from error
        return Stored(job_info(job_id, values, _error(result)), result)

    return Step(script("read"), (), (job_id, *INFO_FIELDS), decode)


def results(job_ids: Sequence[str]) -> Step[tuple[StoredResult | None, ...]]:
    """The newest result of each job; None where there is none, or none that can be read."""
    return Step(script("results"), (), job_ids, lambda raw: tuple(map(_result, raw)))


def meta(job_id: str) -> Step[bytes | None]:
    """A job's own notes as the serializer wrote them; None where there are none."""
    return Step(script("meta"), (), (job_id,), lambda raw: raw)


def save_meta(job_id: str, meta: bytes) -> Step[bool]:
    """Writes a job's own notes; whether the job is there."""
    return Step(script("save_meta"), (), (job_id, meta), bool)


def workers() -> Step[tuple[WorkerInfo, ...]]:
    """The registered workers."""

    def decode(raw: list[Any]) -> tuple[WorkerInfo, ...]:
        return tuple(_worker(key, fields) for key, fields in raw)

    return Step(script("workers"), (), (), decode)


def _worker(key: bytes, fields: list[bytes]) -> WorkerInfo:
    name = text(key).removeprefix(keys.worker(""))
    told = {text(k): text(v) for k, v in zip(fields[::2], fields[1::2], strict=True)}
    return WorkerInfo(name, told)
