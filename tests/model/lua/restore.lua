-- restore({name, deadline, dump}...)
-- The database as it was when `save` was called.
redis.call('FLUSHDB')
for at = 1, #ARGV, 3 do redis.call('RESTORE', ARGV[at], ARGV[at + 1], ARGV[at + 2], 'ABSTTL') end
return #ARGV / 3
