-- unlock(holder)
-- Gives back a lock that its holder took. Answers 1, or 0 if it is not the holder's.
-- KEYS[1]  the lock
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
