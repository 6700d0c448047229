"""The model brought to the state of the database, where that was not foretold."""

from tests.model.model import Job, Lane, Model
from tests.model.snapshot import Snapshot


def adopt(model: Model, snapshot: Snapshot) -> None:
    """Make the model say what the database holds, however it came to that."""
    places = snapshot.places()
    for name in model.jobs.keys() - snapshot.jobs().keys():
        del model.jobs[name]
    for name, fields in snapshot.jobs().items():
        job = model.jobs.get(name)
        if job is None or job.created != fields.get("created_at"):
            job = model.jobs[name] = Job(fields.get("origin", ""), fields.get("created_at", ""))
        kinds = [place.kind for place in places.get(name, [])]
        if job.final and fields["status"] == "queued":
            job.lives += 1
        job.status, job.place = fields.get("status", ""), kinds[0] if kinds else "nowhere"
        job.deaths, job.retries_left = (
            int(fields.get("mq_deaths", 0)),
            int(fields.get("retries_left", 0)),
        )
        job.declined = int(fields.get("mq_declined", 0))
        job.runs_before = int(fields.get("mq_retries", 0))
        job.asked_retries = int(fields.get("number_of_retries", 0))
        job.max = int(fields["mq_max"]) if "mq_max" in fields else None
        job.execution, job.stop = fields.get("mq_exec", ""), fields.get("mq_stop", "")
        job.expires = snapshot.keys[f"rq:job:{name}"].deadline
    model.queues = snapshot.queues()
    ours = [(key, score) for key, score in snapshot.leases().items() if "." in key[1]]
    model.leases = {key: score - 900_000 for key, score in ours}
    popped = [ids for name, ids in model.queues.items() if name.endswith(":intermediate")]
    model.elsewhere = len(snapshot.leases()) - len(ours) + sum(map(len, popped))
    model.handovers = list(snapshot.content("msgqueue:handover"))
    model.lanes = {
        worker: Lane(int(key.content["mq_seq"]), key.deadline or 0)
        for worker, key in snapshot.named("rq:worker:")
        if key.kind == "hash" and "mq_seq" in key.content
    }
