-- promote(holder, now_text, queue...)
-- Puts due jobs at the end of their queues, 100 a queue. Holds rq's own scheduler lock of each queue in
-- which jobs wait for their time; a queue of which a plain rq scheduler holds it is left to that one.
-- Answers a queue {state, moved, rest}; state '' or 'busy'; rest: seconds until the next is due, '' for none.
-- uses: clock, wip, admit, damage
local holder, now_text, time = ARGV[1], ARGV[2], nil

-- Whether the job left its zset for its queue.
local function move(queue, zset, id, due)
  local key = RQ .. 'job:' .. id
  local f = redis.call('HMGET', key, 'created_at', 'status', 'enqueue_at_front', 'enqueue_at_front_on_retry', 'ended_at')
  if not f[1] then -- plain rq writes the zset before the hash
    if tonumber(due) < time - 60 then redis.call('ZREM', zset, id) end
    return false
  end
  if redis.call('ZREM', zset, id) == 0 or f[2] == 'canceled' then return false end
  local retried = f[4] == '1' and f[5] and f[5] ~= ''
  admit(queue, id, retried or f[3] == '1', now_text)
  return true
end

local function promote(queue)
  local lock, zset = RQ .. 'scheduler-lock:' .. queue, RQ .. 'scheduled:' .. queue
  if redis.call('EXISTS', lock, zset) == 0 then return {'', 0, ''} end
  local owner = redis.call('GET', lock)
  if owner and owner ~= holder then return {'busy', 0, ''} end
  if redis.call('EXISTS', zset) == 0 then
    if owner then redis.call('DEL', lock) end
    return {'', 0, ''}
  end
  redis.call('EXPIRE', MQ .. 'none', 1) -- before other writes, so that full memory refuses none
  redis.call('SET', lock, holder, 'EX', 5) -- its holder comes each second, and may die
  time = time or now()
  local moved = 0
  local due = redis.call('ZRANGEBYSCORE', zset, '-inf', score(time), 'WITHSCORES', 'LIMIT', 0, 100)
  for at = 1, #due, 2 do
    local ok, left = pcall(move, queue, zset, due[at], due[at + 1])
    if not ok then
      set_aside(queue, due[at], nil, left)
      redis.call('ZREM', zset, due[at])
    end
    if ok and left then moved = moved + 1 end
  end
  local min = #due == 200 and '-inf' or '(' .. score(time)
  local first = redis.call('ZRANGEBYSCORE', zset, min, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  return {'', moved, first[2] and score(first[2] - time) or ''}
end

local answer = {}
for at = 3, #ARGV do
  local ok, said = pcall(promote, ARGV[at])
  answer[#answer + 1] = ok and said or {'', 0, ''} -- the zset is of another type
end
return answer
