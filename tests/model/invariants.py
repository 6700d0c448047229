"""What must hold of the database at any moment, by itself and beside the model."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from tests.model.ledger import ensure
from tests.model.model import FINAL, LEASE, Job, Model
from tests.model.snapshot import Place, Snapshot

from msgqueue.jobs import JobStatus
from msgqueue.settings import PAUSES_BETWEEN_OFFERS
from msgqueue.store.steps import COUNTED

#: Keys that live as long as what they index, and those that must expire.
LASTING: Final = re.compile(
    r"rq:(queues|workers(:.+)?|queue:.+|wip:.+|(finished|failed|canceled|scheduled|deferred):.+)"
    r"|msgqueue:(handover|damaged)"
)
PASSING: Final = re.compile(
    r"rq:(worker:.+|results:.+|execution:.+|executions:.+|scheduler-lock:.+)"
    r"|msgqueue:(upkeep|done:.+|damaged:.+)"
)
OF_STATUS: Final = {
    "queued": "queue",
    "started": "wip",
    "scheduled": "scheduled",
    "deferred": "deferred",
} | FINAL

FAILED: Final = ("failed", "stopped", "canceled")

Counts = Mapping[str, Mapping[JobStatus, int]]
FORETOLD: Final = tuple(status for status in COUNTED if status is not JobStatus.CANCELED)


def check(snapshot: Snapshot, model: Model, exempt: frozenset[str] = frozenset()) -> None:
    """Everything that must hold by itself, but of the jobs in `exempt`, changed by others."""
    exempt |= {name for name, job in model.jobs.items() if job.broken}
    for fault in (
        *one_place(snapshot, model, exempt),
        *one_result(snapshot),
        *leases_are_sound(snapshot, model),
        *no_key_for_ever(snapshot, exempt),
        *offers_end(snapshot, exempt),
    ):
        ensure(False, fault)


def compare(snapshot: Snapshot, model: Model) -> None:
    """The database must be as the model foretold."""
    for fault in as_foretold(snapshot, model):
        ensure(False, fault)


def one_place(snapshot: Snapshot, model: Model, exempt: frozenset[str]) -> Iterator[str]:
    """Each job is in exactly one place, and its hash agrees."""
    places, jobs = _places_found(snapshot, model), snapshot.jobs()
    for name, fields in jobs.items():
        if name in exempt:
            continue
        found = places.get(name, [])
        if len(found) != 1:
            yield f"{name} ({fields.get('status')}) is in {len(found)} places: {found}"
        elif OF_STATUS.get(fields.get("status", "")) != found[0].kind:
            yield f"{name} is {fields.get('status')} and lies in {found[0]}"
    for name, found in places.items():
        alive = [place for place in found if place.kind in ("wip", "scheduled", "deferred")]
        if name not in jobs and alive and name not in exempt:
            yield f"{name} has no hash and lies in {alive}"


def _places_found(snapshot: Snapshot, model: Model) -> dict[str, list[Place]]:
    """All places, but for what a former job of an id, which has expired, left to be trimmed.

    A clock that went back says of some of it that it has not expired.
    """
    found, lasting = snapshot.places(model.now), snapshot.places(model.latest)
    for name, fields in snapshot.jobs().items():
        own = Place(OF_STATUS.get(fields.get("status", ""), ""), fields.get("origin", ""))
        left = {place for place in found.get(name, []) if place not in lasting.get(name, [])}
        left |= {Place("canceled", queue) for queue, one in model.stale if one == name}
        if name in found:
            found[name] = [place for place in found[name] if place == own or place not in left]
    return found


def one_result(snapshot: Snapshot) -> Iterator[str]:
    """At most one result of each execution."""
    for name, key in snapshot.named("rq:results:"):
        executions = [entry["execution_id"] for entry in key.content]
        if len(executions) != len(set(executions)):
            yield f"{name} has two results of one execution: {key.content}"


def leases_are_sound(snapshot: Snapshot, model: Model) -> Iterator[str]:
    """Each claimed job is held by the execution that its hash names, and not for too long."""
    jobs = snapshot.jobs()
    for (_, member), score in snapshot.leases().items():
        name, execution = member.rsplit(":", 1)
        if "." in execution and name in jobs and jobs[name].get("mq_exec") != execution:
            yield f"{member} holds a job whose hash names {jobs[name].get('mq_exec')}"
        if "." in execution and score > model.latest + LEASE:
            yield f"{member} is leased until {score}"


def no_key_for_ever(snapshot: Snapshot, exempt: frozenset[str]) -> Iterator[str]:
    """Every key is known, and expires where nobody asked to keep it."""
    jobs = snapshot.jobs()
    for name, key in snapshot.keys.items():
        if name.startswith("rq:job:"):
            job_id = name.removeprefix("rq:job:")
            final = key.kind == "hash" and key.content.get("status") in FINAL
            kept = final and _kept_for_ever(key.content)
            if final and key.deadline is None and not kept and job_id not in exempt:
                yield f"{name} is {key.content['status']} and never expires"
            if key.kind == "hash" and not final and key.deadline and job_id not in exempt:
                yield f"{name} is {key.content.get('status')} and expires at {key.deadline}"
        elif PASSING.fullmatch(name):
            owner = name.removeprefix("rq:results:")
            kept = owner in exempt or _kept_for_ever(jobs.get(owner, {}))
            if key.deadline is None and not kept:
                yield f"{name} never expires"
        elif not LASTING.fullmatch(name):
            yield f"{name} is a key that nobody knows"


def offers_end(snapshot: Snapshot, exempt: frozenset[str]) -> Iterator[str]:
    """No run is offered to workers more often than said, and a failed job not at all."""
    for name, fields in snapshot.jobs().items():
        most = 0 if fields.get("status") in FAILED else len(PAUSES_BETWEEN_OFFERS)
        if int(fields.get("mq_declined", 0)) > most and name not in exempt:
            yield f"{name} is {fields['status']} and was declined {fields['mq_declined']} times"


def _kept_for_ever(fields: dict[str, str]) -> bool:
    return "-1" in (fields.get("result_ttl"), fields.get("failure_ttl"))


def as_foretold(snapshot: Snapshot, model: Model) -> Iterator[str]:
    """The database is in the state of the model."""
    jobs, places = snapshot.jobs(), _places_found(snapshot, model)
    for name in jobs.keys() | model.jobs.keys():
        if name in model.jobs and model.jobs[name].broken:
            continue
        if name not in jobs or name not in model.jobs:
            yield f"{name} is {'missing' if name not in jobs else 'not gone'}"
            continue
        found, foretold = _seen(jobs[name]), _foretold(model.jobs[name])
        if found != foretold:
            yield f"{name} is {found}, foretold {foretold}"
        deadline = snapshot.keys[f"rq:job:{name}"].deadline
        if deadline != model.jobs[name].expires:
            yield f"{name} expires at {deadline}, foretold {model.jobs[name].expires}"
        where = [
            place for place in places.get(name, []) if "." in place.execution or place.kind != "wip"
        ]
        if sorted(where) != sorted(_places(name, model)):
            yield f"{name} lies in {where}, foretold {_places(name, model)}"
        yield from _results(name, snapshot, model.jobs[name])
    yield from _order(snapshot, model)
    yield from _leases(snapshot, model)
    yield from _lanes(snapshot, model)


def _seen(fields: dict[str, str]) -> tuple[str, int, str, str, int, int]:
    return (
        fields.get("status", ""),
        int(fields.get("mq_deaths", 0)),
        fields.get("mq_exec", ""),
        fields.get("mq_stop", ""),
        int(fields.get("retries_left") or 0),
        int(fields.get("mq_declined", 0)),
    )


def _foretold(job: Job) -> tuple[str, int, str, str, int, int]:
    return job.status, job.deaths, job.execution, job.stop, job.retries_left, job.declined


def _places(name: str, model: Model) -> list[Place]:
    job = model.jobs[name]
    held = [
        Place("wip", queue, member.rsplit(":", 1)[1])
        for queue, member in model.leases
        if member.rsplit(":", 1)[0] == name
    ]
    if job.place == "queue":
        held += [Place("queue", job.queue)] * model.queues[job.queue].count(name)
    elif job.place not in ("wip", "rq", "nowhere"):
        held.append(Place(job.place, job.queue))
    return held


def _results(name: str, snapshot: Snapshot, job: Job) -> Iterator[str]:
    found = [(int(e["type"]), e["execution_id"]) for e in snapshot.content(f"rq:results:{name}")]
    if found and found != job.results[-10:][-len(found) :]:  # earlier ones may have expired
        yield f"{name} has the results {found}, foretold {job.results}"


def _order(snapshot: Snapshot, model: Model) -> Iterator[str]:
    foretold = {queue: ids for queue, ids in model.queues.items() if ids}
    if snapshot.queues() != foretold:
        yield f"the queues hold {snapshot.queues()}, foretold {foretold}"


def _leases(snapshot: Snapshot, model: Model) -> Iterator[str]:
    found = {key: score for key, score in snapshot.leases().items() if "." in key[1]}
    foretold = {key: at + LEASE for key, at in model.leases.items()}
    if found != foretold:
        yield f"the leases are {found}, foretold {foretold}"


def _lanes(snapshot: Snapshot, model: Model) -> Iterator[str]:
    found = {
        worker: (int(key.content["mq_seq"]), "death" in key.content, key.deadline)
        for worker, key in snapshot.named("rq:worker:")
        if key.kind == "hash" and "mq_seq" in key.content
    }
    foretold = {
        worker: (lane.seq, lane.closed, lane.expires) for worker, lane in model.lanes.items()
    }
    if found != foretold:
        yield f"the lanes are {found}, foretold {foretold}"


def waits_for_somebody(snapshot: Snapshot) -> Iterator[str]:
    """Once upkeep has seen to them, jobs wait only for those that can still let them go."""
    jobs = snapshot.jobs()
    for name, fields in jobs.items():
        lenient = fields.get("allow_dependency_failures") == "1"
        ends = ("finished", "failed") if lenient else ("finished",)
        parents = snapshot.content(f"rq:job::{name}:dependencies")
        hopes = [one for one in parents if one in jobs and jobs[one].get("status") not in ends]
        hopes += [one for one in parents if f"msgqueue:damaged:{one}" in snapshot.keys]
        hopes += [one for one in parents if snapshot.keys.get(f"rq:job:{one}") and one not in jobs]
        if fields.get("status") == "deferred" and not hopes:
            yield f"{name} waits for {parents}, none of which can let it go"


def left_over(snapshot: Snapshot) -> list[str]:
    """What is still there when all has expired that may."""
    return sorted(name for name in snapshot.keys if name != "rq:queues")


def counts_agree(model: Model, counts: Counts) -> Iterator[str]:
    """What `counts` tells is what there is; of cancelled jobs it may count expired ones.

    Of finished and failed ones, too, while a clock that went back says that they have not expired.
    """
    told = {status: sum(row[status] for row in counts.values()) for status in FORETOLD}
    found = Counter(job.status for job in model.jobs.values())
    found["failed"] += found.pop("stopped", 0)
    dead = [one for ids in model.queues.values() for one in ids if one not in model.jobs]
    found["queued"] += len(dead)
    for status, count in told.items():
        again = model.now < model.latest and status in (JobStatus.FINISHED, JobStatus.FAILED)
        if count != found[status] and not (again and count > found[status]):
            yield f"{count} are counted as {status}, foretold {found[status]}"
