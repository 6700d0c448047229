-- lead(token)
-- Takes or renews the lock of those who sweep. Answers 1 to its holder, else 0.
-- KEYS[1]  hash {token, until, since}. It lives on while anybody asks without a gap as long as the
--   lock; `since` is when that began. A holder may sweep once the living have had time to beat since
--   the last gap (see sweep), whoever held the lock meanwhile.
-- uses: clock
local LOCK = 3
local time = now()
local held = redis.call('HMGET', KEYS[1], 'token', 'until', 'since')
redis.call('PEXPIRE', KEYS[1], LOCK * 1000) -- before other writes, so that full memory refuses none
local since = math.min(tonumber(held[3] or '') or time, time)
local ends = tonumber(held[2] or '') or 0
-- A lock with more than its whole life ahead was taken before the clock went back.
if held[1] and held[1] ~= ARGV[1] and time < ends and ends <= time + LOCK then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'until', score(time + LOCK), 'since', score(since))
if not held[1] then redis.call('PEXPIRE', KEYS[1], LOCK * 1000) end
return 1
