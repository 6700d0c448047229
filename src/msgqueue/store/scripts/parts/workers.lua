-- Our children as rq's workers: the hash rq:worker:<name> and the sets that index it, for rq's eyes
-- alone. One that is no set keeps no child from its work.

local WORKER_TTL = 60

-- Whether another type lay under a child's name, which nobody else has any use for: it is gone then, as
-- if the hash had expired.
local function make_room(key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'hash' or kind == 'none' then return false end
  redis.call('DEL', key)
  return true
end

local function enter(key, lane, seq, now_text, fields) -- fields: name, value, ...
  redis.call('HSET', key, 'mq_lane', lane, 'mq_seq', seq, 'mq_reply', '', 'last_heartbeat', now_text, unpack(fields))
  redis.call('EXPIRE', key, WORKER_TTL)
  redis.pcall('SADD', RQ .. 'workers', key)
  for at = 1, #fields, 2 do
    if fields[at] == 'queues' then
      for queue in string.gmatch(fields[at + 1], '[^,]+') do redis.pcall('SADD', RQ .. 'workers:' .. queue, key) end
    end
  end
end

local function leave(key, now_text)
  local queues = redis.call('HGET', key, 'queues')
  if queues then
    redis.call('HSET', key, 'death', now_text, 'state', 'idle')
    redis.call('HDEL', key, 'current_job')
    redis.call('EXPIRE', key, WORKER_TTL)
  end
  redis.pcall('SREM', RQ .. 'workers', key)
  for queue in string.gmatch(queues or '', '[^,]+') do redis.pcall('SREM', RQ .. 'workers:' .. queue, key) end
  redis.call('DEL', key .. ':executions')
end
