"""Every measurement, in the order of the table."""

from benchmarks.measurements import (
    Measurement,
    drain,
    enqueue,
    idle,
    kill,
    latency,
    memory,
    million,
    sleeps,
)

MEASUREMENTS: tuple[Measurement, ...] = (
    drain.TWO,
    drain.ONE,
    enqueue.ENQUEUE,
    sleeps.HUNDRED,
    sleeps.TWO_HUNDRED,
    latency.START,
    latency.THREE_QUEUES,
    latency.MANY_CHILDREN,
    latency.RESULT,
    memory.MEMORY,
    idle.IDLE,
    kill.KILL,
    million.MILLION,
)
