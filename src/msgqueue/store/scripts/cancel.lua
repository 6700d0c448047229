-- cancel(id, now_text)
-- A job that waits is cancelled; one that was claimed is asked to stop.
-- Answers {'canceled'}, {'stopping', queue, execution}, {'final', status} or {'missing'}.
-- uses: clock, keeping, places, calling_off
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows
local id = ARGV[1]
local key = RQ .. 'job:' .. id
local f = redis.call('HMGET', key, 'status', 'origin', 'mq_exec', 'worker_name', 'failure_ttl')
if not f[1] or not f[2] then return {'missing'} end
local place = place_of(id, f)
if place == 'final' then return {'final', f[1]} end
if place == 'claimed' or place == 'running' then
  if place == 'claimed' then redis.call('HSET', key, 'mq_stop', f[3]) end
  redis.call('PUBLISH', RQ .. 'pubsub:' .. (f[4] or ''), cjson.encode({command = 'stop-job', job_id = id}))
  return {'stopping', f[2], f[3] or ''}
end
call_off(id, f[2], f[5], ARGV[2])
return {'canceled'}
