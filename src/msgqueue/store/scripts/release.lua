-- release(now_text, worker, #outcomes,
--   {queue, id, execution, kind, value, started, ended, started_text, ended_text, dump}...,
--   {queue, id, execution}...)
-- For a child that is at a long job: what it has ended is reported, and claimed jobs that surely did
-- not begin go back to the front of their queues; nothing is counted.
-- Answers how many went back.
-- uses: clock, wip, front, keeping, admit, dependents, runs, final, again, endings, damage
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows
DEFAULT_RESULT_TTL = result_ttl_of(ARGV[2])
local runs, at = read_runs(4, tonumber(ARGV[3]), ARGV[2], now())
for _, run in ipairs(runs) do
  local ok, said = pcall(report, run, run.how, run.value)
  if not ok then set_aside(run.queue, run.id, run.execution, said) end
end
visit_ended(ARGV[1])
local entries = {}
for entry = at, #ARGV, 3 do
  entries[#entries + 1] = {ARGV[entry], ARGV[entry + 1], ARGV[entry + 2]}
end
local given = give_back(entries, ARGV[1])
flush()
return given
