-- promote(queue, holder, now_text)
-- Puts due jobs of one queue at its end. Holds rq's own scheduler lock of the queue; while a plain rq
-- scheduler holds it the queue is left to that one.
-- Answers {state, moved, next due}; state '' or 'busy'; next due '' for none.
-- uses: clock
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows
local queue, holder, now_text = ARGV[1], ARGV[2], ARGV[3]
local lock, zset = RQ .. 'scheduler-lock:' .. queue, RQ .. 'scheduled:' .. queue
local owner = redis.call('GET', lock)
if owner and owner ~= holder then return {'busy', 0, ''} end
if redis.call('EXISTS', zset) == 0 then
  if owner then redis.call('DEL', lock) end
  return {'', 0, ''}
end
redis.call('SET', lock, holder, 'EX', 61)

local time, moved = now(), 0
local function move(id, due)
  local key = RQ .. 'job:' .. id
  local f = redis.call('HMGET', key, 'created_at', 'status', 'enqueue_at_front')
  if not f[1] then -- plain rq writes the zset before the hash
    if tonumber(due) < time - 60 then redis.call('ZREM', zset, id) end
    return
  end
  if redis.call('ZREM', zset, id) == 0 or f[2] == 'canceled' then return end
  redis.call('HSET', key, 'status', 'queued', 'enqueued_at', now_text)
  redis.call(f[3] == '1' and 'LPUSH' or 'RPUSH', RQ .. 'queue:' .. queue, id)
  redis.call('SADD', RQ .. 'queues', RQ .. 'queue:' .. queue)
  moved = moved + 1
end

local due = redis.call('ZRANGEBYSCORE', zset, '-inf', score(time), 'WITHSCORES', 'LIMIT', 0, 100)
for at = 1, #due, 2 do
  if not pcall(move, due[at], due[at + 1]) then redis.call('ZREM', zset, due[at]) end
end
local first = redis.call('ZRANGEBYSCORE', zset, '(' .. score(#due == 200 and 0 or time), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {'', moved, first[2] or ''}
