"""How to use each system, one file each, which is run in that system's own environment.

Each module has three tasks, `noop`, `hold` and `nap` (see `benchmarks.work`), in the form that
its system prefers, and these names, which the agent calls:

KEEPS: what Redis holds of a job that has finished, in words.
run(coroutine): how the coroutines below are driven; `plainly` for a system without an event loop.
connect(): done once, before all else.
enqueue(task, index, other): enqueues one job; answers what `result` takes.
enqueue_many(task, first, count, other): enqueues jobs with the indexes from `first` on, in bulk
    where the system can.
result(handle): waits for the result of a job.
workers(processes, concurrency): the commands that start so many worker processes in all, each
    of which runs `concurrency` sleeping jobs at once; None leaves that at its best for short ones.

Those in JavaScript and Ruby say the same in the manner of their languages, to `node/agent.js` and
`ruby/agent.rb`.
"""

from collections.abc import Coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")


def plainly(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits for an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    raise RuntimeError("a contender without an event loop waited for one")
