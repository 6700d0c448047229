-- trim(queue)
-- Drops from the registries of a queue the ids whose time is over, 1000 a registry and call.
-- Answers how many.
-- uses: clock
local queue, dropped = ARGV[1], 0
for _, registry in ipairs({'finished:', 'failed:'}) do
  local key = RQ .. registry .. queue
  local ids = redis.call('ZRANGEBYSCORE', key, '-inf', '(' .. score(now()), 'LIMIT', 0, 1000)
  if #ids > 0 then dropped = dropped + redis.call('ZREM', key, unpack(ids)) end
end
local canceled = RQ .. 'canceled:' .. queue
for _, id in ipairs(redis.call('ZRANGE', canceled, 0, 99)) do
  if redis.call('EXISTS', RQ .. 'job:' .. id) == 0 then
    dropped = dropped + redis.call('ZREM', canceled, id)
  end
end
return dropped
