-- A job that waits is cancelled: it is kept as a failed one is, and can be retried.
-- text: its field failure_ttl

local function call_off(id, queue, text, now_text)
  local key, ttl = RQ .. 'job:' .. id, failure_ttl(text)
  take_out(id, queue)
  redis.call('HSET', key, 'status', 'canceled', 'ended_at', now_text)
  redis.call('HDEL', key, 'mq_deaths')
  expire(key, ttl)
  expire_relations(key .. ':dependents', ttl)
  expire_relations(RQ .. 'job::' .. id .. ':dependencies', ttl)
  redis.call('ZADD', RQ .. 'canceled:' .. queue, score(now()), id)
end
