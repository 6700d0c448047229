-- How a job becomes final: its hash, its registry, its dependents. run, job: see runs.lua

-- A run that rq cancelled, under a worker that lets it end: its result is kept, and the job stays
-- cancelled. The hash's execution is the fence, for rq may have taken its entry out of rq:wip. Whether it was so.
local function end_canceled(run, kind, value)
  local f = redis.call('HMGET', run.key, 'status', 'mq_exec', 'failure_ttl')
  if f[1] ~= 'canceled' or f[2] ~= run.execution then return false end
  if type(redis.pcall('HGET', RQ .. 'worker:' .. run.worker, 'mq_lets_end')) ~= 'string' then return false end
  local ttl = failure_ttl(f[3])
  redis.call('HSET', run.key, 'mq_exec', '', 'started_at', run.started_text, 'ended_at', run.ended_text)
  if kind == 'ok' or kind == 'repeat' then add_result(run, ttl, 1, 'return_value', value)
  elseif kind == 'error' then add_result(run, ttl, 2, 'exc_string', value) end
  expire(run.key, ttl)
  return true
end

-- Dependents are looked at when the hash says how it ended; a hash that would go stays until then.
local function mark_dependents(run)
  local waiting = run.key .. ':dependents'
  if run.alone or redis.call('EXISTS', waiting) == 0 then return false end
  redis.call('ZADD', MQ .. 'handover', score(run.now), run.id)
  ended_parents[#ended_parents + 1] = run.id
  return true
end

-- Keeps a job that is final for ttl seconds: -1 for ever, in the registry of its queue.
local until_when = {} -- score by ttl: all runs of a call end at the same moment
local function keep(registry, run, ttl)
  expire(run.key, ttl)
  until_when[ttl] = until_when[ttl] or score(run.now + ttl)
  put_later(RQ .. registry .. run.queue, ttl < 0 and '+inf' or until_when[ttl], run.id)
end

-- Deletes a job that has ended.
local function vanish(run)
  redis.call('DEL', run.key, RQ .. 'job::' .. run.id .. ':dependencies', RQ .. 'results:' .. run.id)
end

-- value: false where no result is to be kept
local function succeed(run, job, value)
  local ttl = result_ttl(job.result_ttl)
  local dependents = mark_dependents(run)
  if ttl >= 0 and ttl < FLOOR then leave_trace(run.id, '+' .. job.created_at) end
  if ttl == 0 and not dependents then return vanish(run) end
  if job.deaths then redis.call('HDEL', run.key, 'mq_deaths') end
  local kept = ttl == 0 and FLOOR or ttl
  if value then
    redis.call('HSET', run.key, 'status', 'finished', 'started_at', run.started_text, 'ended_at', run.ended_text)
  else
    redis.call('HSET', run.key, 'status', 'finished', 'started_at', run.started_text, 'ended_at', run.ended_text,
      'mq_none', 1)
  end
  if value and ttl ~= 0 then
    add_result(run, ttl, 1, 'return_value', value)
  else
    expire(RQ .. 'results:' .. run.id, kept) -- what runs that asked to be repeated left there
  end
  keep('finished:', run, kept)
end

-- rq's rule for its own jobs: kept for 0 seconds is not kept. Ours can be seen for a while.
local function is_unwanted(run, job)
  return tonumber(job.failure_ttl or '') == 0 and not redis.call('HGET', run.key, 'mq_task')
    and redis.call('EXISTS', run.key .. ':dependents') == 0
end

local function fail(run, job, kind, status, field, value)
  local ttl = failure_ttl(job.failure_ttl)
  if is_unwanted(run, job) then
    leave_trace(run.id, '+' .. job.created_at)
    return vanish(run)
  end
  redis.call('HDEL', run.key, 'mq_deaths', 'mq_declined')
  redis.call('HSET', run.key, 'status', status, 'ended_at', run.ended_text)
  if run.started_text ~= '' then redis.call('HSET', run.key, 'started_at', run.started_text) end
  add_result(run, ttl, kind, field, value)
  keep('failed:', run, ttl)
  mark_dependents(run)
end

local function cancel_ended(run, job)
  local ttl = failure_ttl(job.failure_ttl)
  redis.call('HDEL', run.key, 'mq_deaths', 'mq_declined')
  redis.call('HSET', run.key, 'status', 'canceled', 'started_at', '', 'ended_at', run.ended_text)
  expire(run.key, ttl)
  expire(RQ .. 'results:' .. run.id, ttl) -- of earlier runs, which may have been kept for ever
  expire_relations(run.key .. ':dependents', ttl)
  redis.call('ZADD', RQ .. 'canceled:' .. run.queue, score(run.now), run.id)
end
