-- lead(token)
-- Takes or renews the lock of those who sweep. Answers 1 to its holder, else 0.
-- KEYS[1]  hash {token, since}; `since` is when it was taken without a gap
-- uses: clock
local LOCK = 3000
local time = now()
local held = redis.call('HMGET', KEYS[1], 'token', 'since')
-- A lock with more than its whole life ahead was taken before the clock went back.
if held[1] and held[1] ~= ARGV[1] and redis.call('PTTL', KEYS[1]) <= LOCK then return 0 end
local since = held[1] == ARGV[1] and tonumber(held[2]) or time
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'since', score(math.min(since, time)))
redis.call('PEXPIRE', KEYS[1], LOCK)
return 1
