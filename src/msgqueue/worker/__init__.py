"""The worker: a supervisor, its warm child processes, and what they agree on.

In the supervisor's process `supervisor` makes a `plan`, and `loop` carries it out:
    `fleet` has the children; `process` is one of them, `child_jobs` and `account` tell of its jobs,
    `exits` of its end; `identity` names it.
    `watch`, `memory_limit` with `resident`, and `oom` see to limits; `heart` keeps leases.
    `waking` with `crowd` decides who is woken, `scaler` with `scaling` how many there are.
    `upkeep` keeps house for all; `calls` asks Redis for all of these.
    `extras` are further processes; `os_signals` are heard; `owned` is a supervisor's owner.

In a child's process `child_main` begins, and `child` is the loop:
    `demand`, `order` and `pace` say what is claimed; `exchange` claims and reports.
    `execution` runs a job within `limits`; `endings` and `declining` say how that ended.
    `async_lane` runs coroutines, with `stepping` and `turnover`.
    `tidying` with `hygiene` sees to what a job leaves behind.
    `lookout` and `lifeline` hear of work and of the supervisor's death.

Both know `terms`, `outfit`, `journal`, `doorbell`, `reference`, `memory` and `shared`. What rq
alone understands is in `rq_path`, `rq_performing` and `rq_current`; `rq_worker`, the drop-in, adds
`rq_rules` and `rq_overrides`.
"""
