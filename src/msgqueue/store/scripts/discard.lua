-- discard(id)
-- Deletes what was set aside under this id. Answers 1, or 0 if nothing was.
local aside = MQ .. 'damaged:' .. ARGV[1]
redis.call('DEL', aside, aside .. ':reason')
return redis.call('ZREM', MQ .. 'damaged', ARGV[1])
