-- What the ends of executions are made of: the runs of a call, their jobs, their result streams.
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
