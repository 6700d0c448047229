"""How many examples a property gets: the same few by default, fresh ones with `nox -s fuzz`."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

LONG = "fuzz"  # --hypothesis-profile=fuzz

settings.register_profile(
    LONG,
    max_examples=3_000,
    deadline=None,
    derandomize=False,
    database=None,  # what was found becomes a test; the seed repeats a run
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def fuzzed(examples: int, times: int = 40) -> Callable[[Any], Any]:
    """So many examples, the same each time; `times` as many, chosen anew, in the long run."""
    if settings.get_current_profile_name() == LONG:
        return settings(settings.get_profile(LONG), max_examples=examples * times)
    return settings(
        settings.get_profile(LONG),
        max_examples=examples,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),  # the long run makes what it finds small
        print_blob=False,
    )
