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

-- Additions and removals of many jobs, each key's in one command. Whoever calls put_later or
-- forget calls flush last; what comes before it is thus written before any fence goes.
local additions, removals = {}, {}

local function put_later(key, score, id)
  local batch = additions[key]
  if not batch then
    batch = {}
    additions[key] = batch
  end
  batch[#batch + 1] = score
  batch[#batch + 1] = id
end

-- The last write of every end of an execution. rq's own execution keys exist for long runs only.
local function forget(queue, id, execution, long)
  if long then
    redis.call('DEL', RQ .. 'execution:' .. member(id, execution))
    redis.pcall('ZREM', RQ .. 'executions:' .. id, execution) -- of another type it is none of rq's
  end
  local batch = removals[queue]
  if not batch then
    batch = {}
    removals[queue] = batch
  end
  batch[#batch + 1] = member(id, execution)
end

local function flush()
  local to_add, to_remove = additions, removals
  additions, removals = {}, {}
  for key, batch in pairs(to_add) do
    for at = 1, #batch, 500 do redis.call('ZADD', key, unpack(batch, at, math.min(at + 499, #batch))) end
  end
  for queue, batch in pairs(to_remove) do
    for at = 1, #batch, 500 do
      redis.call('ZREM', RQ .. 'wip:' .. queue, unpack(batch, at, math.min(at + 499, #batch)))
    end
  end
end
