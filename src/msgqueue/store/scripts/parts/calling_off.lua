-- A job that waited, and was taken out of its place, is cancelled: it is kept as a failed one is, and can
-- be retried.
-- text: its field failure_ttl; gone: the parent without which it cannot run, if that is why

local function call_off(id, queue, text, now_text, gone)
  local key, ttl = RQ .. 'job:' .. id, failure_ttl(text)
  redis.call('HSET', key, 'status', 'canceled', 'ended_at', now_text)
  if gone then redis.call('HSET', key, 'mq_orphan_of', gone) end
  redis.call('HDEL', key, 'mq_deaths', 'mq_declined')
  expire(key, ttl)
  expire(RQ .. 'results:' .. id, ttl) -- of earlier runs, which may have been kept for ever
  expire_relations(key .. ':dependents', ttl)
  expire_relations(RQ .. 'job::' .. id .. ':dependencies', ttl)
  redis.call('ZADD', RQ .. 'canceled:' .. queue, score(now()), id)
end
