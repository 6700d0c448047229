-- orphans(queue, now_text)
-- Ends the waiting of jobs that nobody will let go any more. 100 of those that wait for others are looked at
-- a call: all of them where there are no more, else any.
--   One of whose parents is gone, and none can still let it go, is cancelled: each parent lets go who waits
--   for it as it ends, so one that is gone never ended as it should have.
--   One whose parents are all there and have ended as they should (nobody told it of another job of a
--   parent's id, or a plain rq worker died in between) is queued.
--   An id without a hash is dropped.
-- A parent that was set aside may be put back, so it is waited for.
-- Answers how many wait no longer.
-- uses: clock, wip, damage, keeping, admit, dependents, calling_off
local queue, now_text, freed, seen = ARGV[1], ARGV[2], 0, 0
local PAGE, MOST = 100, 1000 -- jobs; parents of them
local deferred = RQ .. 'deferred:' .. queue
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows

local function may_return(parent)
  return redis.call('ZSCORE', MQ .. 'handover', parent)
    or redis.call('EXISTS', RQ .. 'job:' .. parent, MQ .. 'damaged:' .. name_of(parent)) > 0
end

-- Whether it waits no longer, and the first parent that is gone.
local function judge(parents, lenient)
  local gone
  for _, parent in ipairs(parents) do
    local status = redis.call('HGET', RQ .. 'job:' .. parent, 'status')
    if status and not lets_go(status, lenient) or not status and may_return(parent) then return false end
    if not status then gone = gone or parent end
  end
  return true, gone
end

local function look_at(id)
  local key = RQ .. 'job:' .. id
  local f = redis.call('HMGET', key, 'origin', 'allow_dependency_failures', 'enqueue_at_front', 'failure_ttl')
  if not f[1] then return redis.call('EXISTS', key) == 0 and redis.call('ZREM', deferred, id) == 1 end
  local parents = redis.call('SMEMBERS', RQ .. 'job::' .. id .. ':dependencies')
  seen = seen + #parents
  local over, gone = judge(parents, f[2] == '1')
  if not over then return false end
  redis.call('ZREM', deferred, id)
  -- A plain rq worker that is about to queue it, too, begins anew.
  for _, parent in ipairs(parents) do redis.call('SREM', RQ .. 'job:' .. parent .. ':dependents', id) end
  if gone then call_off(id, queue, f[4], now_text, gone) else let_in(id, queue, f[3] == '1', now_text) end
  return true
end

local function some_that_wait()
  local count = redis.pcall('ZCARD', deferred)
  if type(count) ~= 'number' then return {} end -- it is of another type
  if count <= PAGE then return redis.call('ZRANGE', deferred, 0, -1) end
  return redis.call('ZRANDMEMBER', deferred, PAGE)
end

for _, id in ipairs(some_that_wait()) do
  if seen >= MOST then break end
  local ok, over = pcall(look_at, id)
  if ok and over then freed = freed + 1 end
end
return freed
