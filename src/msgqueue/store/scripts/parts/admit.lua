-- Puts a job that waits no longer into its queue: at its front or back, or behind the limit of rq's
-- rate limits, which lets the oldest of those that wait go while it has room.

local function push(queue, id, front)
  redis.call(front and 'LPUSH' or 'RPUSH', RQ .. 'queue:' .. queue, id)
  redis.call('SADD', RQ .. 'queues', RQ .. 'queue:' .. queue)
end

local function let_go(limit, concurrency, now_text)
  local allowed, held = RQ .. 'rl:' .. limit .. ':allowed', RQ .. 'rl:' .. limit .. ':rate_limited'
  while redis.call('ZCARD', allowed) < concurrency do
    local id = redis.call('ZPOPMIN', held)[1]
    if not id then return end
    local f = redis.call('HMGET', RQ .. 'job:' .. id, 'origin', 'status', 'enqueue_at_front')
    if f[1] and f[2] == 'rate_limited' then
      redis.call('ZADD', allowed, math.floor(now()), id)
      redis.call('HSET', RQ .. 'job:' .. id, 'status', 'queued', 'enqueued_at', now_text)
      push(f[1], id, f[3] == '1')
    end
  end
end

local function admit(queue, id, front, now_text)
  local key = RQ .. 'job:' .. id
  local f = redis.call('HMGET', key, 'rate_limit_key', 'rate_limit_concurrency')
  local limit, concurrency = f[1], tonumber(f[2] or '')
  if not limit or limit == '' or not concurrency then
    redis.call('HSET', key, 'status', 'queued', 'enqueued_at', now_text)
    push(queue, id, front)
    return
  end
  local base = RQ .. 'rl:' .. limit
  redis.call('SADD', RQ .. 'rl-keys', limit)
  redis.call('HSET', base, 'concurrency', concurrency)
  redis.call('HSET', key, 'status', 'rate_limited')
  if front then redis.call('HSET', key, 'enqueue_at_front', 1) end
  redis.call('ZREM', base .. ':allowed', id)
  redis.call('ZADD', base .. ':rate_limited', math.floor(now()), id)
  let_go(limit, concurrency, now_text)
end
