"""What a seed chooses: who acts, what is asked of them and when, and what goes wrong with it."""

import random
from typing import Final, NamedTuple

#: What may happen to a call; the rest of its way is as the network has it.
MISHAPS: Final = (
    "slow",  # it, or its answer, takes seconds
    "lost",  # the connection breaks before Redis has read it
    "unanswered",  # the connection breaks after Redis has carried it out
    "stray",  # the connection breaks, and Redis carries it out some time later
    "copied",  # a second copy of it comes later
    "killed before",  # its sender dies, and Redis carries it out some time later
    "killed after",  # its sender dies with the answer under way
    "machine killed after",
    "frozen",  # its sender, with its machine, stands still as the answer comes
)
#: What may happen to processes, machines and Redis.
BLOWS: Final = (
    "kill a child",
    "kill a supervisor",
    "kill a machine",
    "freeze a child",
    "freeze a supervisor",
    "freeze a machine",
    "cut a machine off",
    "drain a machine",
    "one more machine",
    "restart redis",
    "lose messages",
)
#: With these Redis itself forgets, or lies: fewer promises hold.
LIES: Final = ("set the clock", "fail over")
#: What may be asked of a job that was enqueued, and how often it is.
CHANGES: Final = (("cancel", 0.2), ("requeue", 0.15), ("delete", 0.08))
ENDS: Final = ("ok", "declined", "none", "error", "retry", "poison", "poison machine")


class Fate(NamedTuple):
    """What becomes of one call.

    Attributes:
        mishap: one of MISHAPS; empty for none.
        there, back: milliseconds that it, and its answer, are under way.
        later: milliseconds to what the mishap makes happen later.
        whole: whether the mishap concerns the sender's whole machine.
    """

    mishap: str
    there: int
    back: int
    later: int
    whole: bool


class Job(NamedTuple):
    """A job to be enqueued: see `World.spec`.

    Attributes:
        parents: ids of those that it waits for.
        lenient: whether they may fail.
    """

    id: str
    seconds: float
    kind: str
    value: str
    options: dict[str, object]
    parents: tuple[str, ...] = ()
    lenient: bool = False


class Deed(NamedTuple):
    """Something that is done at a time.

    Attributes:
        name: by which a replay leaves it out.
        at: milliseconds.
        kind: a verb of clients, or one of BLOWS and LIES.
        job: whom it concerns, if it is a client's.
        lot: decides what else there is to decide.
        seconds: how long it lasts.
    """

    name: str
    at: int
    kind: str
    job: Job | None
    lot: int
    seconds: float


class Plan:
    """All choices of one seed. What it chooses for a call depends on that call's number alone.

    Args:
        seed: the same gives the same.
        without: names of deeds and calls whose part in the misfortune is left out.

    Attributes:
        machines: how many children each has, and how many jobs they claim at once.
        coroutines: how many jobs the children of each run at once.
        clients: how many.
        deeds: in no order.
        plain_workers: the queues of each plain rq worker.
        slow_handover: whether one call lets a single dependent go, so that upkeep has to go on.
        until: milliseconds after which nothing more goes wrong.
    """

    def __init__(self, seed: int, without: frozenset[str] = frozenset()) -> None:
        choice = random.Random(seed)
        self._seed, self._without = seed, without
        self.until = choice.choice((2_000, 6_000, 12_000))
        self.clients = choice.choice((1, 1, 2))
        self.machines = [
            (choice.choice((1, 1, 2)), choice.choice((1, 2, 2, 4)))
            for _ in range(choice.choice((1, 2)))
        ]
        self._mishaps = choice.sample(MISHAPS, choice.randint(1, len(MISHAPS)))
        self._rate = choice.choice((0.0, 0.02, 0.05, 0.15))
        self._jitter = choice.choice((0, 0, 2, 30))
        self._choice, self._count = choice, 0
        deeds = [deed for n in range(choice.randint(1, 6)) for deed in self._asked(f"j{n}")]
        deeds += self._blows()
        if choice.random() < 0.05:
            deeds += self._a_long_outage()
        self.slow_handover = False
        if choice.random() < 0.3:
            deeds += self._dependents([deed for deed in deeds if deed.kind == "enqueue"])
            self.slow_handover = choice.random() < 0.2
        self.coroutines = [choice.choice((1, 1, 1, 2, 5)) for _ in self.machines]
        self.plain_workers: list[tuple[str, ...]] = []
        if choice.random() < 0.06:
            self.plain_workers.append(choice.choice((("high", "default"), ("default",))))
            deeds += [self._deed("kill a plain worker") for _ in range(choice.choice((0, 1)))]
        self.deeds = [deed for deed in deeds if deed.name not in without]

    def _deed(self, kind: str, job: Job | None = None, after: int = 0) -> Deed:
        self._count += 1
        at = self._choice.randint(after, max(after, self.until))
        seconds = self._choice.choice((0.5, 3.0, 7.0, 10.0, 14.0))
        return Deed(f"d{self._count}", at, kind, job, self._choice.getrandbits(30), seconds)

    def _asked(self, job_id: str) -> list[Deed]:
        """What clients ask concerning one job."""
        choice = self._choice
        job = self._job(job_id)
        deeds = [self._deed("enqueue", job)]
        at = deeds[0].at
        for kind, odds in (*CHANGES, ("enqueue", 0.1)):
            if choice.random() < odds:
                deeds.append(self._deed(kind, job, at))
        return deeds

    def _dependents(self, enqueued: list[Deed]) -> list[Deed]:
        """Jobs that wait for others, soon after the last of these was enqueued."""
        choice = self._choice
        since = {deed.job.id: deed.at for deed in enqueued if deed.job}
        deeds: list[Deed] = []
        for number in range(choice.choice((1, 2, 4))):
            parents = choice.sample(sorted(since), min(len(since), choice.choice((1, 1, 2, 3))))
            kind = choice.choice(("ok", "ok", "error", "poison"))
            seconds = choice.choice((0.0, 1.5))
            options: dict[str, object] = {"queue": choice.choice(("high", "default"))}
            job = Job(f"d{number}", seconds, kind, "1", options, tuple(parents))
            job = job._replace(lenient=choice.random() < 0.4)
            at = max(since[parent] for parent in parents) + choice.choice((1, 1, 5, 300))
            deeds.append(self._deed("defer", job)._replace(at=at))
            deeds += [self._deed(kind, job, at) for kind, odds in CHANGES if choice.random() < odds]
            since[job.id] = at + 1
        return deeds

    def _job(self, job_id: str) -> Job:
        choice = self._choice
        kind = choice.choices(ENDS, (11, 1, 2, 4, 1, 2, 0.4))[0]
        options: dict[str, object] = {"queue": choice.choice(("high", "default", "default"))}
        if choice.random() < 0.15:
            options["due"] = choice.uniform(0.0, 10.0)  # from when it is enqueued
        if choice.random() < 0.3:
            options["retry"] = choice.choice(((1, 0.0), (2, 0.0), (2, 1.0)))
        if choice.random() < 0.25:
            options["max_deliveries"] = choice.choice((1, 1, 2))
        if choice.random() < 0.25:
            options["result_ttl"] = choice.choice((0, 0, 5))
        if choice.random() < 0.1:
            options["front"] = True
        if choice.random() < 0.1:
            options["timeout"] = 2
        seconds = choice.choice((0.0, 0.0, 0.01, 0.12, 0.4, 1.5, 4.0, 11.0))
        value = choice.choice(("1:0:0", "2:2:1")) if kind == "retry" else "1"
        if kind == "declined":
            value = "2"
        return Job(job_id, seconds, kind, value, options)

    def _blows(self) -> list[Deed]:
        choice = self._choice
        kinds = choice.sample(BLOWS, choice.randint(1, 4))
        deeds = [self._deed(choice.choice(kinds)) for _ in range(choice.choice((0, 1, 2, 4)))]
        if choice.random() < 0.04:
            deeds.append(self._deed(choice.choice(LIES)))
        return deeds

    def _a_long_outage(self) -> list[Deed]:
        """Redis is away for longer than a lease, while several machines have work."""
        choice = self._choice
        self.until = 20_000
        self.machines = [(choice.choice((1, 2)), 2) for _ in range(2)]
        works = [Job(f"w{n}", 25.0, "ok", "1", {"queue": "default"}) for n in range(2)]
        starts = [self._deed("enqueue", job)._replace(at=100) for job in works]
        away = self._deed("restart redis")
        at, seconds = choice.randint(1_000, 4_000), choice.choice((9.0, 11.0, 14.0))
        return [*starts, away._replace(at=at, seconds=seconds)]

    def fate(self, number: int) -> Fate:
        """What becomes of the call of this number, as long as things go wrong."""
        choice = random.Random(self._seed * 1_000_003 + number)
        there, back = (choice.randint(0, self._jitter) for _ in range(2))
        later = choice.choice((5, 200, 3_000, 7_000, 11_000))
        mishap, whole = choice.choice(self._mishaps), choice.random() < 0.5
        if choice.random() >= self._rate or f"c{number}" in self._without:
            mishap = ""
        return Fate(mishap, there, back, later, whole)
