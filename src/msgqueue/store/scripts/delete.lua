-- delete(id, now_text)
-- Removes a job with all that belongs to it. One that runs is refused: stop it first.
-- Dependents that wait for it, and for no other job any more, are cancelled: nobody would ever let them
-- go. Those of a finished one, and those that let a parent fail, follow it all the same.
-- Answers {'deleted'}, {'refused', status} or {'missing'}.
-- A copy of its enqueue that comes late finds its id for a minute. The very same call again (known by
-- now_text) does nothing to another job of that id.
-- uses: clock, keeping, admit, dependents, places, calling_off
redis.call('EXPIRE', MQ .. 'none', 1) -- first: who takes no writes may have been replaced, and must not answer
local id, now_text = ARGV[1], ARGV[2]
local key = RQ .. 'job:' .. id
if has_trace(id, 'd' .. now_text) then return {'deleted'} end
local f = redis.call('HMGET', key, 'status', 'origin', 'mq_exec', 'group_id', 'created_at')
if not f[2] and redis.call('EXISTS', key) == 0 then return {'missing'} end
f[2] = f[2] or '' -- saved, and never enqueued
local place = place_of(id, f)
if place == 'claimed' or place == 'running' then return {'refused', f[1]} end
local function leave_behind(dependent, status)
  local d = redis.call('HMGET', RQ .. 'job:' .. dependent, 'origin', 'failure_ttl', 'allow_dependency_failures')
  if not d[1] or not redis.call('ZSCORE', RQ .. 'deferred:' .. d[1], dependent) then return end
  redis.call('SREM', RQ .. 'job::' .. dependent .. ':dependencies', id) -- another job of this id is not meant
  if lets_go(status, d[3] == '1') or not is_met(dependent, d[3] == '1') then return end
  redis.call('ZREM', RQ .. 'deferred:' .. d[1], dependent)
  call_off(dependent, d[1], d[2], now_text, id)
end

local waiting = key .. ':dependents'
local dependents = redis.pcall('SMEMBERS', waiting)
if dependents.err then dependents = {} end -- of another type: it goes with the job
take_out(id, f[2])
for _, registry in ipairs({'failed:', 'canceled:', 'finished:'}) do redis.call('ZREM', RQ .. registry .. f[2], id) end
if f[4] and f[4] ~= '' then redis.pcall('SREM', RQ .. 'group:' .. f[4], id) end
if f[5] then leave_trace(id, '+' .. f[5]) end
leave_trace(id, 'd' .. now_text)
for _, dependent in ipairs(dependents) do pcall(leave_behind, dependent, f[1]) end
if not redis.call('ZSCORE', MQ .. 'handover', id) then redis.call('DEL', waiting) end
for _, execution in ipairs(redis.pcall('ZRANGE', RQ .. 'executions:' .. id, 0, -1)) do
  redis.call('DEL', RQ .. 'execution:' .. id .. ':' .. execution)
end
redis.call('DEL', key, RQ .. 'job::' .. id .. ':dependencies', RQ .. 'results:' .. id,
  RQ .. 'executions:' .. id)
return {'deleted'}
