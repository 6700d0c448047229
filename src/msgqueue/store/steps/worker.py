"""Steps of workers: a child and its supervisor claim jobs, keep them leased and report them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgqueue.jobs import Claimed, Kind, Outcome
from msgqueue.settings import DEFAULT_MAX_DELIVERIES, DEFAULT_TIMEOUT, PAUSES_BETWEEN_OFFERS
from msgqueue.store import keys
from msgqueue.store.codec import moment_texts, pack_traceback, pack_value, text
from msgqueue.store.dump import LARGEST, result_dump
from msgqueue.store.messages import Arg, Beat, Beaten, Ended, Entry, Lane, Settled, Worked, Worker
from msgqueue.store.script import script
from msgqueue.store.steps.step import Step


def register(lane: Lane, worker: Worker, now_text: str) -> Step[bool]:
    """Shows a child as an rq worker and opens its lane."""
    args: list[Arg] = [lane.worker, lane.id, now_text, *worker.fields(), "state", "idle"]
    return Step(script("register"), (keys.worker(lane.worker),), args, bool)


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
    elif kind != "none":
        value = _told(kind, value)
    return queue, job_id, execution, kind, value, begin, end, begin_text, end_text, dump


def _told(kind: Kind, value: bytes) -> bytes:
    """What an outcome that is no success says, as the scripts take it."""
    if kind == "retry":
        return value
    if kind == "declined":
        return f"{','.join(map(str, PAUSES_BETWEEN_OFFERS))}:".encode() + pack_traceback(value)
    return pack_traceback(value)


def _worked(execution: str, raw: list[Any]) -> Worked:
    first = 3 + raw[1]
    refused = tuple(text(member) for member in raw[3:first])
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
    if raw[2]:
        claimed = _as_declined(claimed, dict(zip(raw[2][::2], raw[2][1::2], strict=True)))
    return Worked(raw[0].decode(), refused, claimed)


def _as_declined(claimed: tuple[Claimed, ...], times: Mapping[bytes, int]) -> tuple[Claimed, ...]:
    return tuple(job._replace(declined=times.get(job.id.encode(), 0)) for job in claimed)


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


def stop(job_id: str, execution: str = "") -> Step[Entry | None]:
    """Asks for the end of a job's execution, or of that one alone.

    Answers which it is; None if none of ours has the job, or it is another one.
    """

    def decode(raw: list[bytes] | None) -> Entry | None:
        return Entry(text(raw[0]), job_id, text(raw[1])) if raw else None

    return Step(script("stop"), (), (job_id, execution), decode)


def note_shutdown(workers: Sequence[str], now_text: str) -> Step[int]:
    """Shows of workers when they were asked to end; how many there were."""
    return Step(script("note_shutdown"), (), (now_text, *workers), int)
