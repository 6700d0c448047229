-- How a job comes to run once more: by Retry, by a Retry that it returned, by rq's Repeat, or since no
-- worker could carry it out so far. run, job: see runs.lua

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
  push(run.queue, run.id, front)
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
