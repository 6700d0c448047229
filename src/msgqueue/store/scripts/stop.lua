-- stop(id, execution)
-- Asks for the end of the execution that a job has: of this one alone, unless it is ''.
-- Answers {queue, execution}, or nil if it has none, or another.
-- uses: wip
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows
local f = redis.call('HMGET', RQ .. 'job:' .. ARGV[1], 'origin', 'mq_exec')
if ARGV[2] ~= '' and ARGV[2] ~= f[2] then return false end
if not f[1] or not f[2] or not owns(f[1], ARGV[1], f[2]) then return false end
redis.call('HSET', RQ .. 'job:' .. ARGV[1], 'mq_stop', f[2])
return {f[1], f[2]}
