-- restore(id, now_text)
-- Puts a job that was set aside back into its queue: once it is mended, or a newer worker can read it.
-- Answers 'queued', 'missing', 'replaced' (another job has its id) or 'unfit' (it is no job's hash).
-- uses: clock
local id = ARGV[1]
local key, aside = RQ .. 'job:' .. id, MQ .. 'damaged:' .. id
if not redis.call('ZSCORE', MQ .. 'damaged', id) then return 'missing' end
if redis.call('TYPE', aside).ok ~= 'hash' then return 'unfit' end
local f = redis.call('HMGET', aside, 'origin', 'data')
if not f[1] or f[1] == '' or not f[2] then return 'unfit' end
if redis.call('EXISTS', key) == 1 then return 'replaced' end
redis.call('RENAME', aside, key)
redis.call('PERSIST', key)
redis.call('PERSIST', key .. ':dependents')
redis.call('HSET', key, 'status', 'queued', 'enqueued_at', ARGV[2], 'started_at', '', 'worker_name', '')
redis.call('SADD', RQ .. 'queues', RQ .. 'queue:' .. f[1])
redis.call('RPUSH', RQ .. 'queue:' .. f[1], id)
redis.call('DEL', aside .. ':reason')
redis.call('ZREM', MQ .. 'damaged', id)
return 'queued'
