"""How much the state machine tries: the same each time; much more with `nox -s model`."""

from hypothesis import HealthCheck, Phase, settings

LONG = "model"  # --hypothesis-profile=model

settings.register_profile(
    LONG,
    max_examples=3_000,
    stateful_step_count=40,
    deadline=None,
    derandomize=False,
    database=None,  # what was found becomes a test; the seed repeats a run
    suppress_health_check=list(HealthCheck),
)


def tried(examples: int) -> settings:
    """So many examples, the same each time; fresh and many more in the long profile."""
    long = settings.get_profile(LONG)
    if settings.get_current_profile_name() == LONG:
        return long
    return settings(
        long,
        max_examples=examples,
        stateful_step_count=30,
        derandomize=True,
        phases=[Phase.generate],  # to shrink a failure takes minutes
    )
