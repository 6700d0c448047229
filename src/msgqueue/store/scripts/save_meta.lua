-- save_meta(id, meta)
-- Writes a job's own notes, as rq's save_meta does. Answers 1, or 0 if the job is gone.
if redis.call('HEXISTS', RQ .. 'job:' .. ARGV[1], 'created_at') == 0 then return 0 end
redis.call('HSET', RQ .. 'job:' .. ARGV[1], 'meta', ARGV[2])
return 1
