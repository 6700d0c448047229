-- How an execution ends: hash, registry and result stream of one job.
-- run: {queue, id, execution, how, value, started, ended, started_text, ended_text, dump, key, member,
--   worker, now, alone}; dump: of the result stream, '' for none;
--   alone: nobody depends on it, nil where that is not known
-- job: what `look` reads of its hash

-- The runs of a call, ten arguments each.
local function read_runs(at, amount, worker, now)
  local runs = {}
  for number = 1, amount do
    local queue, id, execution, how, value, started, ended, started_text, ended_text, dump =
      unpack(ARGV, at, at + 9)
    runs[number] = {queue = queue, id = id, execution = execution, how = how, value = value, started = started,
      ended = ended, started_text = started_text, ended_text = ended_text, key = RQ .. 'job:' .. id,
      member = member(id, execution), dump = dump, worker = worker, now = now}
    at = at + 10
  end
  return runs, at
end

local function look(key)
  local f = redis.call('HMGET', key, 'status', 'created_at', 'result_ttl', 'failure_ttl', 'mq_stop',
    'retries_left', 'mq_deaths', 'mq_max', 'enqueued_at', 'mq_declined')
  return {
    status = f[1], created_at = f[2], result_ttl = f[3], failure_ttl = f[4], stop = f[5],
    retries_left = tonumber(f[6] or '') or 0, deaths = tonumber(f[7] or '') or 0, max = tonumber(f[8] or ''),
    enqueued_at = f[9] or '', declined = tonumber(f[10] or '') or 0,
  }
end

-- The little that a success needs of it.
local function glance(key)
  local f = redis.call('HMGET', key, 'status', 'created_at', 'result_ttl', 'mq_deaths')
  return {status = f[1], created_at = f[2], result_ttl = f[3], deaths = f[4]}
end

-- Deleted, or cancelled by rq: what ran then leaves no trace.
local function is_gone(job)
  return not job.created_at or job.status == 'canceled'
end

-- A new stream takes 4 KB; restored from a dump it takes what it holds. The dump that came with the
-- run does for a job that has no results yet.
local function add_result(run, ttl, kind, field, value)
  local key, expiry = RQ .. 'results:' .. run.id, ttl > 0 and ttl * 1000 or 0
  if kind == 1 and run.dump ~= '' and not redis.pcall('RESTORE', key, expiry, run.dump).err then return end
  if value == '' then
    redis.call('XADD', key, 'MAXLEN', 10, '*', 'type', kind, 'worker_name', run.worker,
      'execution_id', run.execution, 'execution_started_at', run.started, 'execution_ended_at', run.ended)
  else
    redis.call('XADD', key, 'MAXLEN', 10, '*', 'type', kind, 'worker_name', run.worker, field, value,
      'execution_id', run.execution, 'execution_started_at', run.started, 'execution_ended_at', run.ended)
  end
  local dump = redis.pcall('DUMP', key)
  local restored = type(dump) == 'string' and redis.pcall('RESTORE', key, expiry, dump, 'REPLACE')
  if (type(restored) ~= 'table' or restored.err) and ttl > 0 then redis.call('EXPIRE', key, ttl) end
end

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
  redis.call('HDEL', run.key, 'mq_deaths', 'mq_declined')
  redis.call('HSET', run.key, 'status', 'canceled', 'started_at', '', 'ended_at', run.ended_text)
  expire(run.key, failure_ttl(job.failure_ttl))
  expire_relations(run.key .. ':dependents', failure_ttl(job.failure_ttl))
  redis.call('ZADD', RQ .. 'canceled:' .. run.queue, score(run.now), run.id)
end

-- To the back of the queue, to the front, or to its time.
local function run_again(run, job, interval, front)
  local key = run.key
  if job.declined ~= 0 then redis.call('HDEL', key, 'mq_declined') end
  if interval > 0 then
    redis.call('HSET', key, 'status', 'scheduled', 'started_at', '', 'worker_name', '', 'ended_at', run.ended_text)
    redis.call('ZADD', RQ .. 'scheduled:' .. run.queue, math.ceil(run.now + interval), run.id)
    return
  end
  redis.call('HSET', key, 'status', 'queued', 'started_at', '', 'worker_name', '', 'enqueued_at', run.ended_text)
  redis.call(front and 'LPUSH' or 'RPUSH', RQ .. 'queue:' .. run.queue, run.id)
  redis.call('SADD', RQ .. 'queues', RQ .. 'queue:' .. run.queue)
end

-- rq's Repeat: a success that runs again; dependents follow the first one.
local function repeat_run(run, job, value)
  local key = run.key
  local f = redis.call('HMGET', key, 'repeats_left', 'repeat_intervals')
  local left = tonumber(f[1] or '') or 0
  if left <= 0 then return succeed(run, job, value) end
  local ttl = result_ttl(job.result_ttl)
  if ttl ~= 0 then add_result(run, ttl, 1, 'return_value', value) end
  redis.call('HSET', key, 'status', 'finished', 'ended_at', run.ended_text, 'repeats_left', left - 1)
  if redis.call('EXISTS', key .. ':dependents') == 1 then visit(run.id, run.ended_text) end
  local ok, intervals = pcall(cjson.decode, f[2] or '[]')
  if not ok or type(intervals) ~= 'table' then intervals = {} end
  local interval = tonumber(intervals[1]) or 0
  if #intervals > 1 then
    table.remove(intervals, 1)
    redis.call('HSET', key, 'repeat_intervals', cjson.encode(intervals))
  end
  run_again(run, job, interval, false)
end

-- rq's rule: the interval counted from the end of the list, the first one where the list is short.
local function retry_interval(key, retries_left)
  local text = redis.call('HGET', key, 'retry_intervals')
  local ok, intervals = pcall(cjson.decode, text or '[]')
  if not ok or type(intervals) ~= 'table' then return 0 end
  return tonumber(intervals[math.max(#intervals - retries_left, 0) + 1]) or 0
end

-- An error: Retry decides whether the job runs again. A stop asked for this execution wins.
local function err(run, job, trace)
  if job.stop == run.execution then return fail(run, job, 3, 'stopped', 'exc_string', trace) end
  if job.retries_left <= 0 then return fail(run, job, 2, 'failed', 'exc_string', trace) end
  local key = run.key
  local interval = retry_interval(key, job.retries_left)
  redis.call('HINCRBY', key, 'retries_left', -1)
  redis.call('HINCRBY', key, 'mq_retries', 1)
  run_again(run, job, interval, redis.call('HGET', key, 'enqueue_at_front_on_retry') == '1')
end

-- The task returned rq's Retry: value is <max>:<interval>,<interval>,...:<front>:<what it returned>. Each
-- run has its interval, and further ones the last. A stop wins here, too.
local function returned_retry(run, job, value)
  if job.stop == run.execution then return fail(run, job, 3, 'stopped', '', '') end
  local key = run.key
  local max, intervals, front, returned = string.match(value, '^(%d+):([%d,]+):(%d):?(.*)')
  local done = tonumber(redis.call('HGET', key, 'number_of_retries') or '') or 0
  local interval, number = '0', 0
  for digits in string.gmatch(intervals, '%d+') do
    if number <= done then interval = digits end
    number = number + 1
  end
  if done >= tonumber(max) then return fail(run, job, 5, 'failed', 'return_value', returned) end
  add_result(run, failure_ttl(job.failure_ttl), 4, 'return_value', returned)
  redis.call('HSET', key, 'number_of_retries', done + 1)
  if front == '1' then
    redis.call('HSET', key, 'enqueue_at_front_on_retry', 1)
  else
    front = redis.call('HGET', key, 'enqueue_at_front_on_retry')
  end
  run_again(run, job, tonumber(interval), front == '1')
end

-- Nothing of the job was entered: this worker's code does not know its task, or not with such arguments.
-- value is <pause>,<pause>,...:<text>. It is offered again after each of the pauses, and costs neither
-- a run nor a delivery; then it is an error. Each run that Retry grants is offered anew. A stop wins.
local function decline(run, job, value)
  local pauses, text = string.match(value, '^([%d,]*):(.*)')
  local pause, number = nil, 0
  for digits in string.gmatch(pauses, '%d+') do
    if number == job.declined then pause = tonumber(digits) end
    number = number + 1
  end
  if job.stop == run.execution or not pause then return err(run, job, text) end
  local spread = math.floor(run.now * 1000) % (1 + math.floor(pause / 4)) -- so that a crowd spreads
  run_again(run, job, pause + spread, false)
  redis.call('HSET', run.key, 'mq_declined', job.declined + 1)
end

-- One outcome of a run that is known to own its job. Answers '' or 'gone'.
local function record(run, kind, value)
  local plain = kind == 'ok' or kind == 'none'
  local job = plain and glance(run.key) or look(run.key)
  local answer = ''
  if is_gone(job) then
    end_canceled(run, kind, value)
    answer = 'gone'
  elseif plain then
    succeed(run, job, kind == 'ok' and value)
  elseif kind == 'retry' then
    returned_retry(run, job, value)
  elseif kind == 'repeat' then
    repeat_run(run, job, value)
  elseif kind == 'declined' then
    decline(run, job, value)
  else
    err(run, job, value)
  end
  forget(run.queue, run.id, run.execution, not plain or run.ended - run.started > 0.1)
  return answer
end

-- The outcome of an execution that is not its job's any more: 'lost', or 'gone' where rq cancelled it.
local function refuse_outcome(run, kind, value)
  forget(run.queue, run.id, run.execution, true)
  local ok, ended = pcall(end_canceled, run, kind, value)
  return ok and ended and 'gone' or 'lost'
end

-- One outcome. Answers what `record` or `refuse_outcome` does.
local function report(run, kind, value)
  if owns(run.queue, run.id, run.execution) then return record(run, kind, value) end
  return refuse_outcome(run, kind, value)
end

-- The process died under a job that had begun, or may have. Answers 'requeued', 'failed',
-- 'stopped', 'canceled', or what `report` does.
-- reason: the text of a result stream, for a death at the limit.
local function die(run, began, default_max, reason)
  if not owns(run.queue, run.id, run.execution) then return 'lost' end
  local job = look(run.key)
  local answer
  if is_gone(job) then
    answer = 'gone'
  elseif job.stop == run.execution or run.how == 'stop' then
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
    redis.call('HSET', run.key, 'mq_deaths', job.deaths + 1)
    if job.deaths == 0 then
      redis.call('HSET', run.key, 'status', 'queued', 'started_at', '', 'worker_name', '')
      put_front(run.queue, {{id = run.id, at = job.enqueued_at}})
    else
      run_again(run, job, 10 + math.floor(run.now * 1000) % 10, false) -- 10-20 s, so that a crowd spreads
    end
  end
  forget(run.queue, run.id, run.execution, true)
  return answer
end

-- Jobs that were claimed and surely never began: to the front, nothing counted.
local function give_back(entries, now_text) -- entries: {{queue, id, execution}, ...}
  local by_queue, seen, given = {}, {}, 0
  for _, entry in ipairs(entries) do
    local queue, id, execution = entry[1], entry[2], entry[3]
    pcall(function()
      if seen[member(id, execution)] or not owns(queue, id, execution) then return end
      seen[member(id, execution)] = true
      local key = RQ .. 'job:' .. id
      local job = look(key)
      if job.stop == execution and not is_gone(job) then
        cancel_ended({queue = queue, id = id, key = key, now = now(), ended_text = now_text}, job)
      elseif not is_gone(job) then
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
