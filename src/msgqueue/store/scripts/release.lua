-- release(now_text, worker, #outcomes,
--   {queue, id, execution, kind, value, started, ended, started_text, ended_text}...,
--   {queue, id, execution}...)
-- For a child that is at a long job: what it has ended is reported, and claimed jobs that surely did
-- not begin go back to the front of their queues; nothing is counted.
-- Answers how many went back.
-- uses: clock, wip, front, keeping, dependents, endings, damage
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows
local time, at = now(), 4
DEFAULT_RESULT_TTL = result_ttl_of(ARGV[2])
for _ = 1, tonumber(ARGV[3]) do
  local run = {queue = ARGV[at], id = ARGV[at + 1], key = RQ .. 'job:' .. ARGV[at + 1], execution = ARGV[at + 2],
    started = ARGV[at + 5], ended = ARGV[at + 6], started_text = ARGV[at + 7], ended_text = ARGV[at + 8],
    worker = ARGV[2], now = time}
  local ok, said = pcall(report, run, ARGV[at + 3], ARGV[at + 4])
  if not ok then set_aside(run.queue, run.id, run.execution, said) end
  at = at + 9
end
visit_ended(ARGV[1])
local entries = {}
for entry = at, #ARGV, 3 do
  entries[#entries + 1] = {ARGV[entry], ARGV[entry + 1], ARGV[entry + 2]}
end
local given = give_back(entries, ARGV[1])
flush()
return given
