-- cancel(id, now_text)
-- A job that waits is cancelled; one that was claimed is asked to stop. The very same call again (known
-- by now_text) does nothing to a job that was requeued, or enqueued, since.
-- Answers {'canceled'}, {'stopping', queue, execution}, {'final', status} or {'missing'}.
-- uses: clock, keeping, places, calling_off
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows
local id = ARGV[1]
local key = RQ .. 'job:' .. id
local f = redis.call('HMGET', key, 'status', 'origin', 'mq_exec', 'worker_name', 'failure_ttl', 'mq_canceled',
  'mq_stop')
if not f[1] or not f[2] then return {'missing'} end
local place = place_of(id, f)
if place == 'final' then return {'final', f[1]} end
if f[6] == ARGV[2] and not (f[7] and f[7] == f[3]) then return {'canceled'} end
if f[6] ~= ARGV[2] and has_trace(id, 'c' .. ARGV[2]) then return {'canceled'} end
if place == 'claimed' or place == 'running' then
  if place == 'claimed' then redis.call('HSET', key, 'mq_stop', f[3], 'mq_canceled', ARGV[2]) end
  redis.call('PUBLISH', RQ .. 'pubsub:' .. (f[4] or ''), cjson.encode({command = 'stop-job', job_id = id}))
  leave_trace(id, 'c' .. ARGV[2])
  return {'stopping', f[2], f[3] or ''}
end
take_out(id, f[2])
call_off(id, f[2], f[5], ARGV[2])
redis.call('HSET', key, 'mq_canceled', ARGV[2])
leave_trace(id, 'c' .. ARGV[2])
return {'canceled'}
