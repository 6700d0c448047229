-- settle(worker, lane, now_text, default_max,
--   #outcomes, {queue, id, execution, kind, value, started, ended, started_text, ended_text, dump}...,
--   #ended, {queue, id, execution, cause, reason, started, ended, started_text, ended_text, dump}...,
--   {queue, id, execution}...)
-- The supervisor's account for a child that is dead: closes its lane, then records what ended, judges
-- what ran by its cause, and gives back what it held or had been handed without knowing.
-- KEYS[1]  the worker's hash
-- Answers {requeued, failed, refused member...}.
-- uses: clock, wip, front, keeping, admit, dependents, runs, final, again, endings, damage, workers
local worker_key, worker, lane, now_text, default_max = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local time = now()
redis.call('EXPIRE', worker_key, 60) -- first, so that full memory refuses none of what follows
make_room(worker_key)

-- Closed before all else: a call of the dead child that is still under way is refused.
local lane_state = redis.call('HMGET', worker_key, 'mq_seq', 'mq_reply', 'mq_lane')
if lane_state[3] and lane_state[3] ~= lane then
  lane_state = {} -- a successor bears its name
else
  leave(worker_key, now_text)
end

DEFAULT_RESULT_TTL = result_ttl_of(worker)
local at = 5
local function next_runs()
  local runs
  runs, at = read_runs(at + 1, tonumber(ARGV[at]), worker, time)
  return runs
end

local answer = {0, 0}
local function count(said, run)
  if said == 'requeued' then answer[1] = answer[1] + 1
  elseif said == 'failed' or said == 'stopped' then answer[2] = answer[2] + 1
  elseif said == 'lost' then answer[#answer + 1] = run.member end
end

for _, run in ipairs(next_runs()) do
  local ok, said = pcall(report, run, run.how, run.value)
  if ok then count(said, run) else set_aside(run.queue, run.id, run.execution, said) end
end

local held = {}
local function judge(run)
  local job = owns(run.queue, run.id, run.execution) and look(run.key) or {} -- another's may be damaged
  local asked = job.stop == run.execution
  if run.how == 'drain' and not asked then
    held[#held + 1] = {run.queue, run.id, run.execution}
    return ''
  end
  if run.how == 'timeout' or run.how == 'memory' then -- a limit: an ordinary error
    local said = report(run, 'error', run.value)
    return said ~= '' and said or job.retries_left > 0 and not asked and 'requeued' or 'failed'
  end
  return die(run, true, default_max, run.value)
end
for _, run in ipairs(next_runs()) do
  local ok, said = pcall(judge, run)
  if ok then count(said, run) else set_aside(run.queue, run.id, run.execution, said) end
end

while at <= #ARGV do
  held[#held + 1] = {ARGV[at], ARGV[at + 1], ARGV[at + 2]}
  at = at + 3
end
-- The answer that the child never read.
if lane_state[1] then
  for kind, queue, id in string.gmatch(lane_state[2] or '', '(%l)([^\n]*)\n([^\n]*)\n') do
    if kind == 'c' then held[#held + 1] = {queue, id, lane .. '.' .. lane_state[1]} end
  end
end
visit_ended(now_text)
flush()
answer[1] = answer[1] + give_back(held, now_text)
flush()
return answer
