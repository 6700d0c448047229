-- How an execution ends: by its own outcome, with its process, or before it began. run: see runs.lua

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
