"""How much the state machine tries: the same each time; much more with `nox -s model`."""

from hypothesis import HealthCheck, Phase, settings

TRIED = 200  # examples by default
LONG = "model"  # --hypothesis-profile=model

settings.register_profile(
    LONG,
    max_examples=3_000,
    stateful_step_count=40,
    deadline=None,
    derandomize=False,
    report_multiple_bugs=False,
    database=None,  # what was found becomes a test; the seed repeats a run
    suppress_health_check=list(HealthCheck),
)


def alike(examples: int = TRIED) -> settings:
    """So many examples, the same each time."""
    return settings(
        settings.get_profile(LONG),
        max_examples=examples,
        stateful_step_count=30,
        derandomize=True,
        phases=[Phase.generate],  # to shrink a failure takes minutes
    )


def is_long() -> bool:
    """Whether much is to be tried."""
    return settings.get_current_profile_name() == LONG


def tried() -> settings:
    """The same examples each time; fresh and many more in the long profile."""
    if is_long():
        return settings.get_profile(LONG)
    return alike()
