"""Whatever happens, and in whatever order: the scripts do what the model foretells."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.model import invariants
from tests.model.conftest import NewWorld
from tests.model.dependents import defer
from tests.model.effort import tried
from tests.model.hands import COPIES_LAST, Copy, Fate, Hand
from tests.model.ledger import ensure
from tests.model.model import Job
from tests.model.snapshot import parse
from tests.model.virtual import Change
from tests.model.world import QUEUES, World

from msgqueue.jobs import JobSpec, Retry
from msgqueue.store import steps
from msgqueue.store.steps import Step

ids: Final = st.sampled_from("abcd")
which: Final = st.integers(0, 5)
queues: Final = st.sampled_from(QUEUES)
kinds: Final = st.sampled_from(["ok", "error", "error", "none", "retry", "declined"])
causes: Final = st.sampled_from(["death", "death", "timeout", "memory", "stop", "drain"])
tokens: Final = st.sampled_from(["one", "one", "two"])
jumps: Final = st.sampled_from([-100.0, -5.0, 5.0, 100.0])
fates: Final = st.sampled_from(["answered", "answered", "answered", "lost", "late"])
#: What a job is enqueued with; `due` in seconds from then.
OPTIONS: Final[list[dict[str, Any]]] = [
    *({"queue": queue} for queue in QUEUES),
    *({"retry": retry} for retry in (Retry(1), Retry(2), Retry(2, 3.0))),
    *({"max_deliveries": most} for most in (1, 2)),
    *({"due": seconds} for seconds in (1, 20)),
    *({"result_ttl": ttl} for ttl in (0, 30, -1)),
    *({"failure_ttl": ttl} for ttl in (0, 100, -1)),
    {"unique": True},
    {"front": True},
]
jobs: Final = st.tuples(ids, st.lists(st.sampled_from(OPTIONS), max_size=2))
Asked = tuple[str, list[dict[str, Any]]]
YEARS: Final = 70 * 365 * 86400.0


class Machine(RuleBasedStateMachine):
    """Clients, lanes and the upkeep, each moved by rules."""

    def __init__(self) -> None:
        super().__init__()
        self.world = self.new_world()
        self.hands: list[Hand] = []
        self.calls: deque[Copy] = deque(maxlen=6)
        self.saved = self.world.save()
        self.numbers = 0
        for _ in range(2):
            self.new_hand()

    def new_world(self) -> World:
        """An empty database, and who acts on it."""
        raise NotImplementedError

    def new_hand(self) -> None:
        self.numbers += 1
        self.hands.append(Hand(self.world, self.numbers))

    def call(self, step: Step[Any], fate: Fate = "answered") -> Any:
        """A client's call; None where its answer is not read."""
        self.calls.append(Copy(self.world.time.clock(), step))
        answer = None if fate == "late" else self.world.call("a client", step)
        return answer if fate == "answered" else None

    def hand(self, number: int, able: Callable[[Hand], object] = lambda _: True) -> Hand | None:
        """One of the living that can do it."""
        living = [hand for hand in self.hands if not hand.dead and able(hand)]
        return living[number % len(living)] if living else None

    def job(self, number: int, able: Callable[[Job], object] = lambda _: True) -> str:
        """The id of a job that is there and to which it can be done, or of none."""
        found = sorted(name for name, job in self.world.model.jobs.items() if able(job))
        return found[number % len(found)] if found else "nobody"

    def spec(self, job_id: str, options: list[dict[str, Any]]) -> JobSpec:
        merged = {name: value for option in options for name, value in option.items()}
        due = {"due": self.world.time.wall() + merged["due"]} if "due" in merged else {}
        return self.world.spec(job_id, **merged | due)

    # Clients

    @initialize(specs=st.lists(jobs, min_size=2, max_size=5))
    def enqueue_first(self, specs: list[Asked]) -> None:
        self.enqueue(specs, "answered")

    @rule(specs=st.lists(jobs, min_size=1, max_size=4), fate=fates)
    def enqueue(self, specs: list[Asked], fate: Fate) -> None:
        made = [self.spec(*asked) for asked in specs]
        for answer in self.call(steps.enqueue(made), fate) or ():
            self.world.ledger.acknowledged.add(answer.id)

    @precondition(lambda self: not any(self.world.model.queues.values()))
    @rule(specs=st.lists(jobs, min_size=2, max_size=5))
    def enqueue_more(self, specs: list[Asked]) -> None:
        self.enqueue(specs, "answered")

    @rule(numbers=st.sets(which, min_size=1, max_size=2), queue=queues, lenient=st.booleans())
    def defer(self, numbers: set[int], queue: str, lenient: bool) -> None:
        """Plain rq enqueues a job that depends on others."""
        self.numbers += 1
        parents = sorted({self.job(one, lambda job: not job.broken) for one in numbers})
        spec = self.world.spec(f"d{self.numbers}", queue=queue)
        defer(self.world, spec, parents, lenient=lenient)

    @rule(what=st.sampled_from(["cancel", "stop", "requeue", "delete"]), number=which, fate=fates)
    def change(self, what: str, number: int, fate: Fate) -> None:
        """Somebody does something to a job."""
        if what == "cancel":
            self.cancel(number, fate)
        elif what == "requeue":
            self.requeue(number, fate)
        elif what == "stop":
            self.stop(number)
        else:
            self.delete(number, fate)

    def cancel(self, number: int, fate: Fate) -> None:
        self.world.advance(0.001)
        job_id = self.job(number, lambda job: not job.final)
        self.call(steps.cancel(job_id, self.world.time.text), fate)

    def stop(self, number: int) -> None:
        job_id = self.job(number, lambda job: job.place == "wip")
        self.world.call("a client", steps.stop(job_id))

    def requeue(self, number: int, fate: Fate) -> None:
        self.world.advance(0.001)
        job_id = self.job(number, lambda job: job.final)
        self.call(steps.requeue(job_id, self.world.time.text), fate)

    def delete(self, number: int, fate: Fate) -> None:
        self.world.advance(0.001)
        self.call(steps.delete(self.job(number), self.world.time.text), fate)

    # Children

    @rule(number=which, count=st.integers(0, 4), fate=fates)
    def work(self, number: int, count: int, fate: Fate) -> None:
        if hand := self.hand(number):
            hand.work(count, fate)

    @precondition(lambda self: self.hand(0, lambda hand: hand.held or hand.running))
    @rule(number=which, kind=st.none() | kinds)
    def run(self, number: int, kind: Any) -> None:
        """Begin a job where none runs, and end it unless it is to go on."""
        hand = self.hand(number, lambda hand: hand.held or hand.running)
        if hand and hand.running is None:
            hand.begin()
        if hand and hand.running is not None and kind:
            hand.end(kind)

    @precondition(lambda self: any(self.world.model.queues.values()))
    @rule(number=which, outcomes=st.lists(kinds, min_size=1, max_size=3))
    def work_off(self, number: int, outcomes: list[Any]) -> None:
        """Claim, run and report, as children mostly do."""
        hand = self.hand(number)
        if hand is None:
            return
        hand.work(len(outcomes), "answered")
        for kind in outcomes:
            if hand.running is None and hand.held:
                hand.begin()
            if hand.running is not None:
                hand.end(kind)
        if not hand.dead:
            hand.work(0, "answered")

    @precondition(lambda self: any(self.world.model.queues.values()))
    @rule(number=which, kind=kinds)
    def work_off_one(self, number: int, kind: Any) -> None:
        self.work_off(number, [kind])

    @precondition(lambda self: any(self.world.model.queues.values()))
    @rule(number=which, count=st.integers(1, 4))
    def claim(self, number: int, count: int) -> None:
        self.work(number, count, "answered")

    @precondition(lambda self: self.hand(0, lambda hand: hand.held or hand.running))
    @rule(number=which, judged=st.booleans())
    def crash(self, number: int, judged: bool) -> None:
        """Its account stays open until its supervisor settles it; for ever, if that died too."""
        if hand := self.hand(number, lambda hand: hand.held or hand.running or hand.asked):
            hand.die()
            hand.settled = not judged
            self.new_hand()

    # Supervisors and upkeep

    @rule()
    def beat(self) -> None:
        for hand in self.hands:
            if not hand.settled:
                hand.beat()

    @precondition(lambda self: self.hand(0, lambda hand: hand.held))
    @rule(number=which)
    def release(self, number: int) -> None:
        if hand := self.hand(number, lambda hand: hand.held):
            hand.release()

    @precondition(lambda self: any(hand.dead and not hand.settled for hand in self.hands))
    @rule(cause=causes)
    def settle(self, cause: Any) -> None:
        next(hand for hand in self.hands if hand.dead and not hand.settled).settle(cause)

    @rule(what=st.sampled_from(["sweep", "neglect", "promote", "tidy"]), token=tokens)
    def look_after(self, what: str, token: str) -> None:
        """Upkeep does one of its tasks."""
        if what == "promote":
            self.world.advance(3)
        if what == "tidy":
            self.tidy()
        else:
            {"sweep": self.sweep, "neglect": self.neglect, "promote": self.promote}[what](token)

    def sweep(self, token: str) -> None:
        self.world.call(token, steps.lead(token))
        self.world.call(token, steps.sweep(token, self.world.time.text))

    def neglect(self, token: str) -> None:
        """Nobody beats while somebody leads: what was claimed is taken over."""
        for _ in range(5):
            self.world.call(token, steps.lead(token))
            self.world.advance(2)
        self.sweep(token)

    def promote(self, holder: str) -> None:
        self.world.call(holder, steps.promote(QUEUES, holder, self.world.time.text))

    def tidy(self) -> None:
        for queue in QUEUES:
            self.world.call("upkeep", steps.trim(queue))
        self.world.call("upkeep", steps.handover(self.world.time.text))
        self.free_orphans()

    def free_orphans(self) -> None:
        for queue in QUEUES:
            while self.world.call("upkeep", steps.orphans(queue, self.world.time.text)):
                pass
        for fault in invariants.waits_for_somebody(parse(self.world.redis.snapshot())):
            ensure(False, fault)

    # The world

    @rule(number=st.integers(0, 15))
    def late_copy(self, number: int) -> None:
        """A copy of an earlier call arrives; nobody reads the answer."""
        since = self.world.time.clock() - COPIES_LAST
        copies = [*self.calls, *(copy for hand in self.hands for copy in hand.copies)]
        copies = [copy for copy in copies if copy.sent > since]
        if copies:
            self.world.call("nobody", copies[-1 - number % len(copies)].step)

    @rule(seconds=st.sampled_from([0.5, 3.0, 9.0, 21.0, 70.0, 4000.0]))
    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(what=st.sampled_from(["save", "restart", "fail over", "jump"]), by=jumps)
    def disturb(self, what: str, by: float) -> None:
        """Redis comes back from what it had written, and knows no script; or its clock is set."""
        redis = self.world.redis
        if what == "save":
            self.saved = self.world.save()
        elif what == "jump":
            self.world.jump(by)
        else:
            redis.plain.script_flush()
        if what == "restart":
            redis.restore(redis.save())
        elif what == "fail over":
            self.world.fail_over(self.saved)

    @rule(number=which, how=st.sampled_from(["timeout", "data", "kind"]))
    def damage(self, number: int, how: str) -> None:
        model = self.world.model
        job_id = self.job(
            number, lambda job: job.place in ("queue", "scheduled", "wip") and not job.unreadable
        )
        job = model.jobs.get(job_id)
        if job is None:
            return
        key, plain = f"rq:job:{job_id}", self.world.redis.plain
        if how == "kind" and model.dependents.get(job_id):
            return
        self.world.damaged.add(job_id)
        self.world.ledger.damaged(job_id)
        if how == "kind":
            plain.delete(key)
            plain.set(key, "?")
            job.expires = None
        elif how == "timeout":
            plain.hset(key, "timeout", "soon")
        else:
            plain.hdel(key, "data")
        job.unreadable = how

    @invariant()
    def holds(self) -> None:
        self.world.check()
        counts = self.world.redis.run(steps.counts(QUEUES))
        for fault in invariants.counts_agree(self.world.model, counts):
            ensure(False, fault)

    # The end

    def teardown(self) -> None:
        """Without further faults every job ends, and in the end nothing is left."""
        note("\n".join(self.world.story))
        for hand in self.hands:
            if not hand.dead:
                hand.die()
            if not hand.settled:
                hand.settle("death")
        self.new_hand()
        for number in range(24):
            if self.at_rest():
                break
            self.go_on(2 if number < 8 else 100)
        self.world.check()
        self.world.ledger.check_end(self.world.damaged)
        self.nothing_is_left()

    def at_rest(self) -> bool:
        """Whether nothing is left to do."""
        model = self.world.model
        return not (self.world.ledger.unfinished() or model.leases or any(model.queues.values()))

    def go_on(self, seconds: float) -> None:
        """Upkeep and one child do what they do, for a while."""
        [hand] = [hand for hand in self.hands if not hand.dead]
        self.sweep("one")
        self.promote("one")
        self.world.call("upkeep", steps.handover(self.world.time.text))
        self.free_orphans()
        hand.beat()
        hand.work(8, "answered")
        while hand.held:
            hand.begin()
            hand.end("ok")
        hand.work(0, "answered")
        self.world.advance(seconds)

    def nothing_is_left(self) -> None:
        """Of what nobody asked to keep."""
        world = self.world
        world.advance(0.001)
        for name, job in list(world.model.jobs.items()):
            if job.expires is None and job.place != "deferred":
                world.call("a client", steps.delete(name, world.time.text))
        for _ in range(2 + len(world.model.jobs)):  # who waits for who waits
            world.advance(YEARS)
            world.redis.tick()
            self.tidy()
        left = set(invariants.left_over(parse(world.redis.snapshot()))) - world.lasting
        ensure(not left, f"{left} is left for ever")


def machine(new_world: NewWorld, *changes: Change) -> type[Machine]:
    """The machine over scripts without some of their rules."""

    class Ready(Machine):
        def new_world(self) -> World:
            return new_world(*changes)

    return Ready


def test_the_scripts_do_what_the_model_foretells(new_world: NewWorld) -> None:
    run_state_machine_as_test(machine(new_world), settings=tried())
