-- A job that cannot be read or recorded is set aside with its raw bytes, and takes no other with it.

local DAMAGED_TTL = 2592000

local function set_aside(queue, id, execution, reason)
  local key, aside = RQ .. 'job:' .. id, MQ .. 'damaged:' .. id
  if redis.call('EXISTS', key) == 1 then
    redis.call('RENAME', key, aside)
    redis.call('EXPIRE', aside, DAMAGED_TTL)
    redis.call('ZADD', MQ .. 'damaged', score(now()), id)
    redis.call('SET', aside .. ':reason', tostring(reason), 'EX', DAMAGED_TTL)
  end
  if execution then forget(queue, id, execution, true) end
end
