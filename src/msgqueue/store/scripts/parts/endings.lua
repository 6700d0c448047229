-- How an execution ends: hash, registry and result stream of one job.
-- run: {queue, id, execution, worker, started, ended, started_text, ended_text}
-- job: what LOOK reads of its hash.

local DEFAULT_RESULT_TTL = 500
local DEFAULT_FAILURE_TTL = 31536000

local function look(id)
  local f = redis.call('HMGET', RQ .. 'job:' .. id, 'status', 'created_at', 'result_ttl', 'failure_ttl',
    'mq_stop', 'retries_left', 'mq_deaths', 'mq_max', 'enqueued_at')
  return {
    status = f[1], created_at = f[2], result_ttl = tonumber(f[3] or ''), failure_ttl = tonumber(f[4] or ''),
    stop = f[5], retries_left = tonumber(f[6] or '') or 0, deaths = tonumber(f[7] or '') or 0,
    max = tonumber(f[8] or ''), enqueued_at = f[9] or '',
  }
end

-- Deleted, or cancelled by rq: what ran then leaves no trace.
local function is_gone(job)
  return not job.created_at or job.status == 'canceled'
end

-- A fresh stream takes 4 KB; restored from its dump it takes what it holds.
local function add_result(run, ttl, kind, field, value)
  local key = RQ .. 'results:' .. run.id
  if value == '' then
    redis.call('XADD', key, 'MAXLEN', 10, '*', 'type', kind, 'worker_name', run.worker,
      'execution_id', run.execution, 'execution_started_at', run.started, 'execution_ended_at', run.ended)
  else
    redis.call('XADD', key, 'MAXLEN', 10, '*', 'type', kind, 'worker_name', run.worker, field, value,
      'execution_id', run.execution, 'execution_started_at', run.started, 'execution_ended_at', run.ended)
  end
  local dump = redis.pcall('DUMP', key)
  local restored = type(dump) == 'string'
    and redis.pcall('RESTORE', key, ttl > 0 and ttl * 1000 or 0, dump, 'REPLACE')
  if (type(restored) ~= 'table' or restored.err) and ttl > 0 then redis.call('EXPIRE', key, ttl) end
end

-- Dependents wait for the handover; the parent's hash stays until then.
local function hand_over(id, ttl)
  local waiting = RQ .. 'job:' .. id .. ':dependents'
  if redis.call('EXISTS', waiting) == 0 then return false end
  redis.call('ZADD', MQ .. 'handover', score(now()), id)
  if ttl > 0 then redis.call('EXPIRE', waiting, math.max(ttl, 3600)) end
  return true
end

-- Keeps a job that is final for ttl seconds: -1 for ever, in the registry of its queue.
local function keep(registry, run, ttl)
  if ttl < 0 then
    redis.call('PERSIST', RQ .. 'job:' .. run.id)
    redis.call('ZADD', RQ .. registry .. ':' .. run.queue, '+inf', run.id)
  else
    redis.call('EXPIRE', RQ .. 'job:' .. run.id, ttl)
    redis.call('ZADD', RQ .. registry .. ':' .. run.queue, score(run.now + ttl), run.id)
  end
end

local function succeed(run, job, value)
  local key = RQ .. 'job:' .. run.id
  local ttl = job.result_ttl or DEFAULT_RESULT_TTL
  local dependents = hand_over(run.id, ttl)
  if ttl == 0 and not dependents then
    redis.call('DEL', key, RQ .. 'job::' .. run.id .. ':dependencies')
    -- A copy of its enqueue that comes late must find that it has run.
    redis.call('SET', MQ .. 'done:' .. run.id, job.created_at, 'EX', 60)
    return
  end
  if job.deaths > 0 then redis.call('HDEL', key, 'mq_deaths') end
  redis.call('HSET', key, 'status', 'finished', 'started_at', run.started_text, 'ended_at', run.ended_text)
  if ttl ~= 0 then add_result(run, ttl, 1, 'return_value', value) end
  keep('finished', run, ttl == 0 and 60 or ttl)
end

local function fail(run, job, kind, status, field, value)
  local key = RQ .. 'job:' .. run.id
  local ttl = job.failure_ttl or DEFAULT_FAILURE_TTL
  redis.call('HDEL', key, 'mq_deaths')
  redis.call('HSET', key, 'status', status, 'ended_at', run.ended_text)
  if run.started_text ~= '' then redis.call('HSET', key, 'started_at', run.started_text) end
  add_result(run, ttl, kind, field, value)
  keep('failed', run, ttl)
  hand_over(run.id, ttl)
end

local function cancel_ended(run, job)
  redis.call('HDEL', RQ .. 'job:' .. run.id, 'mq_deaths')
  redis.call('HSET', RQ .. 'job:' .. run.id, 'status', 'canceled', 'ended_at', run.ended_text)
  redis.call('EXPIRE', RQ .. 'job:' .. run.id, job.failure_ttl or DEFAULT_FAILURE_TTL)
  redis.call('ZADD', RQ .. 'canceled:' .. run.queue, score(run.now), run.id)
end

-- To the back of the queue, to the front, or to its time.
local function run_again(run, interval, front)
  local key = RQ .. 'job:' .. run.id
  if interval > 0 then
    redis.call('HSET', key, 'status', 'scheduled', 'started_at', '', 'worker_name', '')
    redis.call('ZADD', RQ .. 'scheduled:' .. run.queue, math.ceil(run.now + interval), run.id)
    return
  end
  redis.call('HSET', key, 'status', 'queued', 'started_at', '', 'worker_name', '', 'enqueued_at', run.ended_text)
  redis.call(front and 'LPUSH' or 'RPUSH', RQ .. 'queue:' .. run.queue, run.id)
  redis.call('SADD', RQ .. 'queues', RQ .. 'queue:' .. run.queue)
end

-- rq's rule: the interval counted from the end of the list, the first one where the list is short.
local function retry_interval(id, retries_left)
  local text = redis.call('HGET', RQ .. 'job:' .. id, 'retry_intervals')
  local ok, intervals = pcall(cjson.decode, text or '[]')
  if not ok or type(intervals) ~= 'table' then return 0 end
  return tonumber(intervals[math.max(#intervals - retries_left, 0) + 1]) or 0
end

-- An error: Retry decides whether the job runs again. A stop asked for this execution wins.
local function err(run, job, trace)
  if job.stop == run.execution then return fail(run, job, 3, 'stopped', 'exc_string', trace) end
  if job.retries_left <= 0 then return fail(run, job, 2, 'failed', 'exc_string', trace) end
  local key = RQ .. 'job:' .. run.id
  local interval = retry_interval(run.id, job.retries_left)
  redis.call('HINCRBY', key, 'retries_left', -1)
  redis.call('HINCRBY', key, 'mq_retries', 1)
  run_again(run, interval, redis.call('HGET', key, 'enqueue_at_front_on_retry') == '1')
end

-- The task returned rq's Retry: value is <max>:<interval>:<front>.
local function returned_retry(run, job, value)
  local key = RQ .. 'job:' .. run.id
  local max, interval, front = string.match(value, '^(%d+):(%d+):(%d)')
  local done = tonumber(redis.call('HGET', key, 'number_of_retries') or '') or 0
  if done >= tonumber(max) then return fail(run, job, 5, 'failed', '', '') end
  add_result(run, job.failure_ttl or DEFAULT_FAILURE_TTL, 4, '', '')
  redis.call('HSET', key, 'number_of_retries', done + 1)
  run_again(run, tonumber(interval), front == '1')
end

-- One outcome. Answers '', 'lost' (the execution is not the job's any more) or 'gone'.
local function report(run, kind, value)
  if not owns(run.queue, run.id, run.execution) then return 'lost' end
  local job = look(run.id)
  local answer = ''
  if is_gone(job) then
    answer = 'gone'
  elseif kind == 'ok' then
    succeed(run, job, value)
  elseif kind == 'retry' then
    returned_retry(run, job, value)
  else
    err(run, job, value)
  end
  forget(run.queue, run.id, run.execution, kind ~= 'ok' or run.ended - run.started > 0.5)
  return answer
end

-- The process died under a job that had begun, or may have. Answers 'requeued', 'failed',
-- 'stopped', 'canceled', or what `report` does.
-- reason: the text of a result stream, for a death at the limit.
local function die(run, began, default_max, reason)
  if not owns(run.queue, run.id, run.execution) then return 'lost' end
  local job = look(run.id)
  local answer
  if is_gone(job) then
    answer = 'gone'
  elseif job.stop == run.execution then
    answer = began and 'stopped' or 'canceled'
    if began then fail(run, job, 3, 'stopped', 'exc_string', reason) else cancel_ended(run, job) end
  elseif (job.max or default_max) == 1 then
    answer = job.retries_left > 0 and 'requeued' or 'failed'
    err(run, job, reason)
  elseif job.deaths + 1 >= (job.max or default_max) then
    answer = 'failed'
    fail(run, job, 2, 'failed', 'exc_string', reason)
  else
    answer = 'requeued'
    local key = RQ .. 'job:' .. run.id
    redis.call('HSET', key, 'mq_deaths', job.deaths + 1)
    if job.deaths == 0 then
      redis.call('HSET', key, 'status', 'queued', 'started_at', '', 'worker_name', '')
      put_front(run.queue, {{id = run.id, at = job.enqueued_at}})
    else
      run_again(run, 10 + math.floor(run.now * 1000) % 10, false) -- 10-20 s, so that a crowd spreads
    end
  end
  forget(run.queue, run.id, run.execution, true)
  return answer
end

-- Jobs that were claimed and surely never began: to the front, nothing counted.
local function give_back(entries, now_text) -- entries: {{queue, id, execution}, ...}
  local by_queue, given = {}, 0
  for _, entry in ipairs(entries) do
    local queue, id, execution = entry[1], entry[2], entry[3]
    pcall(function()
      if not owns(queue, id, execution) then return end
      local job = look(id)
      if job.stop == execution and not is_gone(job) then
        cancel_ended({queue = queue, id = id, now = now(), ended_text = now_text}, job)
      elseif not is_gone(job) then
        local key = RQ .. 'job:' .. id
        redis.call('HSET', key, 'status', 'queued', 'started_at', '', 'worker_name', '')
        local ttl = tonumber(redis.call('HGET', key, 'ttl') or '')
        if ttl then redis.call('EXPIRE', key, ttl) end
        by_queue[queue] = by_queue[queue] or {}
        table.insert(by_queue[queue], {id = id, at = job.enqueued_at, execution = execution})
        given = given + 1
        return -- the fence goes after the push
      end
      forget(queue, id, execution, true)
    end)
  end
  for queue, jobs in pairs(by_queue) do
    put_front(queue, {unpack(jobs)})
    for _, job in ipairs(jobs) do forget(queue, job.id, job.execution, true) end
  end
  return given
end
