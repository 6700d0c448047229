-- trim(queue)
-- Drops from the registries of a queue the ids whose time is over, 1000 a registry and call; the
-- workers of the queue whose hash has expired; and what was set aside long ago.
-- Answers how many.
-- uses: clock, wip, damage
local queue, dropped = ARGV[1], 0
for _, registry in ipairs({'finished:', 'failed:'}) do
  local key = RQ .. registry .. queue
  local ids = redis.call('ZRANGEBYSCORE', key, '-inf', '(' .. score(now()), 'LIMIT', 0, 1000)
  if #ids > 0 then dropped = dropped + redis.call('ZREM', key, unpack(ids)) end
end
local canceled = RQ .. 'canceled:' .. queue
-- Its scores tell when they were cancelled, not when they expire: any of them may have, and its id be
-- another job's by now, here or in another queue.
for _, id in ipairs(redis.call('ZRANDMEMBER', canceled, 100)) do
  local key = RQ .. 'job:' .. id
  local f = redis.pcall('HMGET', key, 'status', 'origin') -- what is damaged is left
  local moved = not f.err and (f[1] and f[1] ~= 'canceled' or f[2] and f[2] ~= queue)
  if moved or redis.call('EXISTS', key) == 0 then dropped = dropped + redis.call('ZREM', canceled, id) end
end
for _, key in ipairs({RQ .. 'workers', RQ .. 'workers:' .. queue}) do
  for _, worker in ipairs(redis.call('SMEMBERS', key)) do
    if redis.call('EXISTS', worker) == 0 then dropped = dropped + redis.call('SREM', key, worker) end
  end
end
return dropped + redis.call('ZREMRANGEBYSCORE', MQ .. 'damaged', '-inf', score(now() - DAMAGED_TTL))
