-- aside(id)
-- One job that was set aside, as it lies there: all of a hash or text, the first 100 of another kind.
-- Answers {when, reason or '', type, {value...}}, or nil if it is not there.
local key = MQ .. 'damaged:' .. ARGV[1]
local at = redis.call('ZSCORE', MQ .. 'damaged', ARGV[1])
local kind = redis.call('TYPE', key).ok
if not at or kind == 'none' then return false end
local raw
if kind == 'hash' then raw = redis.call('HGETALL', key)
elseif kind == 'string' then raw = {redis.call('GET', key)}
elseif kind == 'list' then raw = redis.call('LRANGE', key, 0, 99)
elseif kind == 'set' then raw = redis.call('SRANDMEMBER', key, 100)
elseif kind == 'zset' then raw = redis.call('ZRANGE', key, 0, 99)
else raw = {redis.call('DUMP', key)} end
return {at, redis.call('GET', key .. ':reason') or '', kind, raw}
