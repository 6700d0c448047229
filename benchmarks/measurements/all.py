"""Every measurement, in the order of the table."""

from benchmarks.measurements import Measurement, drain

MEASUREMENTS: tuple[Measurement, ...] = (drain.TWO, drain.ONE)
