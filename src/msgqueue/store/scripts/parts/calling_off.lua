-- A job that waits is cancelled: it is kept as a failed one is, and can be retried.
-- text: its field failure_ttl

local function call_off(id, queue, text, now_text)
  local key = RQ .. 'job:' .. id
  take_out(id, queue)
  redis.call('HSET', key, 'status', 'canceled', 'ended_at', now_text)
  redis.call('HDEL', key, 'mq_deaths')
  expire(key, failure_ttl(text))
  redis.call('ZADD', RQ .. 'canceled:' .. queue, score(now()), id)
end
