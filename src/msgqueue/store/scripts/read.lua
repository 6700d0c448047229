-- read(id, field...)
-- One job: the values of its fields and the newest entry of its result stream.
-- Answers {{value...}, {result entry...} or false}, or nil if there is no such job.
local f = redis.call('HMGET', RQ .. 'job:' .. ARGV[1], unpack(ARGV, 2))
if not f[1] then return false end
local last = redis.call('XREVRANGE', RQ .. 'results:' .. ARGV[1], '+', '-', 'COUNT', 1)
return {f, last[1] and last[1][2] or false}
