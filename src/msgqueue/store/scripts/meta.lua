-- meta(id)
-- A job's own notes as they were written.
-- Answers the text, or nil.
return redis.call('HGET', RQ .. 'job:' .. ARGV[1], 'meta')
