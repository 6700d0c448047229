"""What msgqueue keeps in Redis: the only place that knows a key, a hash field or a corner of rq.

`steps` are single calls of the Lua scripts in `scripts`, put together by `script`; `keys`, `codec`
and `dump` say what is written, `messages` what is told and answered. `operations` take several
steps, as the lists of `listing` do. `run` drives both for callers, `link` sends steps for a worker;
`failures` and `policy` say what a failure means. `waiting` and `async_waiting` wait for the end of
jobs, `signals` for work. `rq_bridge` gives rq's own objects.
"""
