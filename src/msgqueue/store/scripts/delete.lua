-- delete(id)
-- Removes a job with all that belongs to it. One that runs is refused: stop it first.
-- Answers {'deleted'}, {'refused', status} or {'missing'}.
-- A copy of its enqueue that comes late finds its id for a minute.
-- uses: keeping, places
local id = ARGV[1]
local key = RQ .. 'job:' .. id
local f = redis.call('HMGET', key, 'status', 'origin', 'mq_exec', 'group_id', 'created_at')
if not f[2] then return {'missing'} end
local place = place_of(id, f)
if place == 'claimed' or place == 'running' then return {'refused', f[1]} end
take_out(id, f[2])
for _, registry in ipairs({'failed:', 'canceled:', 'finished:'}) do redis.call('ZREM', RQ .. registry .. f[2], id) end
if f[4] and f[4] ~= '' then redis.call('SREM', RQ .. 'group:' .. f[4], id) end
if f[5] then redis.call('SET', MQ .. 'done:' .. id, f[5], 'EX', FLOOR) end
redis.call('DEL', key, key .. ':dependents', RQ .. 'job::' .. id .. ':dependencies', RQ .. 'results:' .. id,
  RQ .. 'executions:' .. id)
return {'deleted'}
