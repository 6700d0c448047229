-- Where a job is: the place decides, the hash is made to agree.

-- 'final', 'claimed' (by us), 'running' (by a plain rq worker), 'waiting' or 'nowhere'.
local function place_of(id, f) -- f: {status, origin, mq_exec}
  local status, queue = f[1], f[2]
  if f[3] and redis.call('ZSCORE', RQ .. 'wip:' .. queue, id .. ':' .. f[3]) then return 'claimed' end
  local registry = status == 'finished' and 'finished:' or (status == 'failed' or status == 'stopped') and 'failed:'
    or status == 'canceled' and 'canceled:'
  if registry and redis.call('ZSCORE', RQ .. registry .. queue, id) then return 'final' end
  for _, execution in ipairs(redis.pcall('ZRANGE', RQ .. 'executions:' .. id, 0, 9)) do
    if redis.call('ZSCORE', RQ .. 'wip:' .. queue, id .. ':' .. execution) then return 'running' end
  end
  return 'waiting'
end

-- Takes a job out of every place in which it waits; how many it was in.
local function take_out(id, queue)
  return redis.call('LREM', RQ .. 'queue:' .. queue, 0, id)
    + redis.call('ZREM', RQ .. 'scheduled:' .. queue, id)
    + redis.call('ZREM', RQ .. 'deferred:' .. queue, id)
    + redis.call('ZREM', RQ .. 'ready:' .. queue, id)
end
