-- Dependents of jobs that have ended. Leaving rq:deferred is the fence; a mark in the zset
-- msgqueue:handover stands until the last dependent of a job was looked at, so that a crash or a
-- crowd of them leaves none behind: upkeep goes on.

local DEPENDENTS = 100 -- queued a call
local ended_parents, dependents_moved = {}, 0

local function lets_go(status, allow_failures)
  return status == 'finished' or (allow_failures and status == 'failed')
end

-- rq's rule: every parent finished, or failed where that is allowed; a parent that is gone counts as met.
local function is_met(id, allow_failures)
  for _, parent in ipairs(redis.call('SMEMBERS', RQ .. 'job::' .. id .. ':dependencies')) do
    local status = redis.call('HGET', RQ .. 'job:' .. parent, 'status')
    if status and not lets_go(status, allow_failures) then return false end
  end
  return true
end

local function let_in(id, queue, front, now_text)
  admit(queue, id, front, now_text)
  redis.call('EXPIRE', RQ .. 'job::' .. id .. ':dependencies', DEFAULT_FAILURE_TTL)
end

-- Whether the job waits no longer, for this parent or any other; 'later' where this call has queued enough.
local function hand_over(id, now_text)
  local key = RQ .. 'job:' .. id
  local f = redis.call('HMGET', key, 'origin', 'allow_dependency_failures', 'enqueue_at_front')
  if not f[1] or not redis.call('ZSCORE', RQ .. 'deferred:' .. f[1], id) then return true end
  if not is_met(id, f[2] == '1') then return false end
  if dependents_moved >= DEPENDENTS then return 'later' end
  redis.call('ZREM', RQ .. 'deferred:' .. f[1], id)
  let_in(id, f[1], f[3] == '1', now_text)
  dependents_moved = dependents_moved + 1
  return true
end

-- A dependent that waits on stays in the set: its parent may be run once more. Until all were looked at,
-- the set does not expire: whoever of them was not would be taken for one that nobody lets go.
local function visit(parent, now_text)
  local waiting = RQ .. 'job:' .. parent .. ':dependents'
  for _, id in ipairs(redis.call('SMEMBERS', waiting)) do
    local ok, over = pcall(hand_over, id, now_text)
    if over == 'later' then return end
    if not ok or over then redis.call('SREM', waiting, id) end
  end
  local left = redis.call('PTTL', RQ .. 'job:' .. parent) -- -1: it does not expire; -2: it has
  if left ~= -1 then expire_relations(waiting, math.ceil(math.max(left, 0) / 1000)) end
  redis.call('ZREM', MQ .. 'handover', parent)
end

-- The parents that ended in this call, whose hashes say so by now.
local function visit_ended(now_text)
  for _, parent in ipairs(ended_parents) do
    if not pcall(visit, parent, now_text) then redis.call('ZREM', MQ .. 'handover', parent) end
  end
end
