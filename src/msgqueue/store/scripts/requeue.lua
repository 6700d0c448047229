-- requeue(id, now_text)
-- Runs a job that is final once more. Leaving its registry is the fence. The very same call again
-- (known by now_text) is answered as the first was, whatever became of the job since.
-- Answers {'queued'}, {'refused', status} or {'missing'}.
-- uses: clock, keeping, admit, places
redis.call('EXPIRE', MQ .. 'none', 1) -- first: who takes no writes may have been replaced, and must not answer
local id = ARGV[1]
local key = RQ .. 'job:' .. id
local f = redis.call('HMGET', key, 'status', 'origin', 'mq_exec', 'data', 'started_at', 'mq_requeued', 'mq_retries')
if not f[1] or not f[2] or not f[4] then return {'missing'} end
if f[6] == ARGV[2] or has_trace(id, 'q' .. ARGV[2]) then return {'queued'} end
if place_of(id, f) ~= 'final' then return {'refused', f[1]} end
redis.call('LLEN', RQ .. 'queue:' .. f[2]) -- no list: refused before anything is written
for _, registry in ipairs({'failed:', 'canceled:', 'finished:'}) do redis.call('ZREM', RQ .. registry .. f[2], id) end
redis.call('HSET', key, 'started_at', '', 'ended_at', '', 'worker_name', '', 'mq_requeued', ARGV[2])
-- mq_exec stays: a claim sees by it that there were runs
redis.call('HDEL', key, 'mq_deaths', 'mq_declined', 'mq_stop', 'mq_orphan_of')
local retries = tonumber(string.match(f[7] or '', '^%d+$') or 0)
if f[5] and f[5] ~= '' then redis.call('HSET', key, 'mq_retries', math.min(retries, 1e9) + 1) end
leave_trace(id, 'q' .. ARGV[2])
redis.call('PERSIST', key)
redis.call('PERSIST', key .. ':dependents')
admit(f[2], id, false, ARGV[2])
return {'queued'}
