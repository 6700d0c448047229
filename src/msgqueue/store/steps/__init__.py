"""The steps of the protocol: one function a step, which does no I/O and returns what to call.

Each changes the state of jobs in one Lua script, so that no crash can fall between its parts. The
script's file says what it reads, decides and writes. The modules are named after who makes the
steps: `client`, `worker`, `upkeep`; those in `reading`, by whomever, change nothing, and those in
`damage` are about what could not be read.
"""

from msgqueue.store.steps.client import cancel, delete, enqueue, requeue, save_meta
from msgqueue.store.steps.damage import damaged, discard, remains, restore
from msgqueue.store.steps.reading import (
    COUNTED,
    counts,
    meta,
    oldest,
    page,
    queues,
    read,
    results,
    standings,
    supervisors,
    waiting,
    workers,
    writable,
)
from msgqueue.store.steps.step import Step
from msgqueue.store.steps.upkeep import (
    handover,
    lead,
    leave_promoting,
    leftovers,
    orphans,
    promote,
    sweep,
    trim,
)
from msgqueue.store.steps.worker import (
    beat,
    note_shutdown,
    register,
    release,
    settle,
    stop,
    work,
)

__all__ = [
    "COUNTED",
    "Step",
    "beat",
    "cancel",
    "counts",
    "damaged",
    "delete",
    "discard",
    "enqueue",
    "handover",
    "lead",
    "leave_promoting",
    "leftovers",
    "meta",
    "note_shutdown",
    "oldest",
    "orphans",
    "page",
    "promote",
    "queues",
    "read",
    "register",
    "release",
    "remains",
    "requeue",
    "restore",
    "results",
    "save_meta",
    "settle",
    "standings",
    "stop",
    "supervisors",
    "sweep",
    "trim",
    "waiting",
    "work",
    "workers",
    "writable",
]
