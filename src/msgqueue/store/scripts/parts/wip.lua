-- The place of claimed jobs: the zset rq:wip:<queue> with members <job>:<execution>.
-- A member's score is its last refresh plus LEASE; rq's own maintenance acts past the score,
-- our sweep reckons back from it.

local LEASE = 900

local function member(id, execution)
  return id .. ':' .. execution
end

-- The fence: whether this execution still is the job's.
local function owns(queue, id, execution)
  return redis.call('ZSCORE', RQ .. 'wip:' .. queue, member(id, execution))
end

-- The last write of every end of an execution. rq's own execution keys exist for long runs only.
local function forget(queue, id, execution, long)
  if long then
    redis.call('DEL', RQ .. 'execution:' .. member(id, execution), RQ .. 'executions:' .. id)
  end
  redis.call('ZREM', RQ .. 'wip:' .. queue, member(id, execution))
end
