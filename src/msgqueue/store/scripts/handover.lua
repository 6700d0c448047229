-- handover(now_text)
-- Queues the dependents of jobs that have ended, 100 a call. Leaving rq:deferred is the fence.
-- Answers how many were queued.
-- uses: clock
local LIMIT = 100
local pending, moved = MQ .. 'handover', 0

-- rq's rule: every parent finished, or failed where that is allowed; a parent that is gone counts as met.
local function is_met(id, allow_failures)
  for _, parent in ipairs(redis.call('SMEMBERS', RQ .. 'job::' .. id .. ':dependencies')) do
    local status = redis.call('HGET', RQ .. 'job:' .. parent, 'status')
    if status and status ~= 'finished' and not (allow_failures and status == 'failed') then return false end
  end
  return true
end

-- Whether the job waits no longer, for this parent or any other.
local function hand_over(id)
  local key = RQ .. 'job:' .. id
  local f = redis.call('HMGET', key, 'origin', 'allow_dependency_failures', 'enqueue_at_front')
  if not f[1] or not redis.call('ZSCORE', RQ .. 'deferred:' .. f[1], id) then return true end
  if not is_met(id, f[2] == '1') then return false end
  redis.call('ZREM', RQ .. 'deferred:' .. f[1], id)
  redis.call('HSET', key, 'status', 'queued', 'enqueued_at', ARGV[1])
  redis.call(f[3] == '1' and 'LPUSH' or 'RPUSH', RQ .. 'queue:' .. f[1], id)
  redis.call('SADD', RQ .. 'queues', RQ .. 'queue:' .. f[1])
  moved = moved + 1
  return true
end

-- A dependent that waits on stays in the set: its parent may be run once more.
local function visit(parent)
  local waiting = RQ .. 'job:' .. parent .. ':dependents'
  for _, id in ipairs(redis.call('SMEMBERS', waiting)) do
    if moved == LIMIT then return end
    local ok, over = pcall(hand_over, id)
    if not ok or over then redis.call('SREM', waiting, id) end
  end
  redis.call('ZREM', pending, parent)
end

for _, parent in ipairs(redis.call('ZRANGE', pending, 0, LIMIT - 1)) do
  if not pcall(visit, parent) then redis.call('ZREM', pending, parent) end
end
return moved
