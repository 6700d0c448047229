"""Whatever happens, and in whatever order: the scripts do what the model foretells."""

import json
from collections import deque
from typing import Any, Final

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.model import invariants
from tests.model.conftest import NewWorld
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
which: Final = st.integers(0, 3)
queues: Final = st.sampled_from(QUEUES)
kinds: Final = st.sampled_from(["ok", "error", "none", "retry"])
causes: Final = st.sampled_from(["death", "death", "timeout", "memory", "stop", "drain"])
tokens: Final = st.sampled_from(["one", "two"])
fates: Final = st.sampled_from(["answered", "answered", "lost", "late"])
retries: Final = st.sampled_from([None, None, Retry(1), Retry(2), Retry(2, 3.0)])
changes: Final = st.fixed_dictionaries(
    {},
    optional={
        "queue": queues,
        "retry": retries,
        "unique": st.just(True),
        "front": st.just(True),
        "due": st.integers(1, 30),  # seconds from now
        "result_ttl": st.sampled_from([0, 30, -1]),
        "failure_ttl": st.sampled_from([0, 100, -1]),
        "max_deliveries": st.sampled_from([1, 2]),
    },
)
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

    def hand(self, number: int) -> Hand | None:
        living = [hand for hand in self.hands if not hand.dead]
        return living[number % len(living)] if living else None

    def spec(self, job_id: str, changes: dict[str, Any]) -> JobSpec:
        due = {"due": self.world.time.wall() + changes["due"]} if "due" in changes else {}
        return self.world.spec(job_id, **changes | due)

    # Clients

    @rule(specs=st.lists(st.tuples(ids, changes), min_size=1, max_size=4), fate=fates)
    def enqueue(self, specs: list[tuple[str, dict[str, Any]]], fate: Fate) -> None:
        made = [self.spec(job_id, one) for job_id, one in specs]
        for answer in self.call(steps.enqueue(made), fate) or ():
            self.world.ledger.acknowledged.add(answer.id)

    @rule(job_id=ids)
    def enqueue_plainly(self, job_id: str) -> None:
        self.enqueue([(job_id, {})], "answered")

    @rule(parents=st.sets(ids, min_size=1, max_size=2), queue=queues, lenient=st.booleans())
    def defer(self, parents: set[str], queue: str, lenient: bool) -> None:
        """Plain rq enqueues a job that depends on others."""
        self.numbers += 1
        job_id, text = f"d{self.numbers}", self.world.time.text
        job = Job(queue, text, "deferred", "deferred", parents=sorted(parents), lenient=lenient)
        model, plain = self.world.model, self.world.redis.plain
        if not parents <= model.jobs.keys() or model.met(job):
            return
        if any(model.jobs[parent].broken for parent in parents):
            return
        data = json.dumps(["sim", None, [0, "ok", "1"], {}])
        fields: dict[Any, Any] = {
            "status": "deferred",
            "origin": queue,
            "created_at": text,
            "data": data,
        }
        fields |= {"timeout": "30", "allow_dependency_failures": str(int(lenient))}
        with plain.pipeline() as pipe:
            pipe.hset(f"rq:job:{job_id}", mapping=fields)
            pipe.zadd(f"rq:deferred:{queue}", {job_id: 1})
            pipe.sadd("rq:queues", f"rq:queue:{queue}")
            for parent in job.parents:
                pipe.sadd(f"rq:job:{parent}:dependents", job_id)
                pipe.sadd(f"rq:job::{job_id}:dependencies", parent)
                model.dependents.setdefault(parent, []).append(job_id)
            pipe.execute()
        model.jobs[job_id] = job
        model.known.add(queue)
        self.world.ledger.renew(job_id)

    @rule(job_id=ids, fate=fates)
    def cancel(self, job_id: str, fate: Fate) -> None:
        self.world.advance(0.001)
        self.call(steps.cancel(job_id, self.world.time.text), fate)

    @rule(job_id=ids)
    def stop(self, job_id: str) -> None:
        self.world.call("a client", steps.stop(job_id))

    @rule(job_id=ids, fate=fates)
    def requeue(self, job_id: str, fate: Fate) -> None:
        self.world.advance(0.001)
        self.call(steps.requeue(job_id, self.world.time.text), fate)

    @rule(job_id=ids)
    def delete(self, job_id: str) -> None:
        self.world.call("a client", steps.delete(job_id, self.world.time.text))

    # Children

    @rule(number=which, count=st.integers(0, 3), fate=fates)
    def work(self, number: int, count: int, fate: Fate) -> None:
        if hand := self.hand(number):
            hand.work(count, fate)

    @rule(number=which, kind=st.none() | kinds)
    def run(self, number: int, kind: Any) -> None:
        """Begin a job where none runs, and end it unless it is to go on."""
        hand = self.hand(number)
        if hand and hand.running is None and hand.held:
            hand.begin()
        if hand and hand.running is not None and kind:
            hand.end(kind)

    @rule(number=which, kind=kinds)
    def work_off(self, number: int, kind: Any) -> None:
        """Claim, run and report, as children mostly do."""
        self.work(number, 1, "answered")
        self.run(number, kind)
        self.work(number, 0, "answered")

    @rule(number=which, judged=st.booleans())
    def crash(self, number: int, judged: bool) -> None:
        """Its account stays open until its supervisor settles it; for ever, if that died too."""
        if hand := self.hand(number):
            hand.die()
            hand.settled = not judged
            self.new_hand()

    # Supervisors and upkeep

    @rule()
    def beat(self) -> None:
        for hand in self.hands:
            if not hand.settled:
                hand.beat()

    @rule(number=which)
    def release(self, number: int) -> None:
        if hand := self.hand(number):
            hand.release()

    @precondition(lambda self: any(hand.dead and not hand.settled for hand in self.hands))
    @rule(cause=causes)
    def settle(self, cause: Any) -> None:
        next(hand for hand in self.hands if hand.dead and not hand.settled).settle(cause)

    @rule(token=tokens)
    def sweep(self, token: str) -> None:
        if self.world.call(token, steps.lead(token)):
            self.world.call(token, steps.sweep(token, self.world.time.text))

    @rule(token=tokens)
    def neglect(self, token: str) -> None:
        """Nobody beats while somebody leads: what was claimed is taken over."""
        for _ in range(5):
            self.world.call(token, steps.lead(token))
            self.world.advance(2)
        self.sweep(token)

    @rule(holder=tokens)
    def promote(self, holder: str) -> None:
        self.world.call(holder, steps.promote(QUEUES, holder, self.world.time.text))

    @rule()
    def tidy(self) -> None:
        for queue in QUEUES:
            self.world.call("upkeep", steps.trim(queue))
        self.world.call("upkeep", steps.handover(self.world.time.text))

    # The world

    @rule(number=which, back=st.integers(0, 3))
    def late_copy(self, number: int, back: int) -> None:
        """A copy of an earlier call arrives; nobody reads the answer."""
        senders = [self.calls, *(hand.copies for hand in self.hands)]
        copies = list(senders[number % len(senders)])[-1 - back :][:1]
        for copy in copies:
            if self.world.time.clock() - copy.sent < COPIES_LAST:
                self.world.call("nobody", copy.step)

    @rule(seconds=st.sampled_from([0.5, 3.0, 9.0, 31.0, 70.0, 4000.0]))
    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(seconds=st.sampled_from([-100.0, -5.0, 5.0, 100.0]))
    def jump(self, seconds: float) -> None:
        self.world.jump(seconds)

    @rule()
    def save(self) -> None:
        self.saved = self.world.save()

    @rule(lossy=st.booleans())
    def restart(self, lossy: bool) -> None:
        """Redis comes back from what it had written, and knows no script."""
        self.world.redis.plain.script_flush()
        if lossy:
            self.world.fail_over(self.saved)
        else:
            self.world.redis.restore(self.world.redis.save())

    @rule(job_id=ids, how=st.sampled_from(["timeout", "data", "kind"]))
    def damage(self, job_id: str, how: str) -> None:
        model = self.world.model
        job = model.jobs.get(job_id)
        if job is None or job.place not in ("queue", "scheduled", "wip") or job.unreadable:
            return
        key, plain = f"rq:job:{job_id}", self.world.redis.plain
        if how == "kind" and model.dependents.get(job_id):
            return
        self.world.damaged.add(job_id)
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
        for name, job in list(world.model.jobs.items()):
            if not job.final or job.expires is None:
                world.call("a client", steps.delete(name, world.time.text))
        world.advance(YEARS)
        self.tidy()
        left = invariants.left_over(parse(world.redis.snapshot()))
        ensure(not left, f"{left} is left for ever")


def machine(new_world: NewWorld, *changes: Change) -> type[Machine]:
    """The machine over scripts without some of their rules."""

    class Ready(Machine):
        def new_world(self) -> World:
            return new_world(*changes)

    return Ready


def test_the_scripts_do_what_the_model_foretells(new_world: NewWorld) -> None:
    run_state_machine_as_test(machine(new_world), settings=tried(100))
