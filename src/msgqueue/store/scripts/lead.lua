-- lead(token)
-- Takes or renews the lock of those who sweep. Answers 1 to its holder, else 0.
-- KEYS[1]  hash {token, until, since, asked}. It lives on while anybody asks without a gap as long as
--   the lock; `since` is when that began, `asked` the last time. A holder may sweep once the living
--   have had time to beat since the last gap (see sweep), whoever held the lock meanwhile.
-- uses: clock
local LOCK = 3
local time = now()
local held = redis.call('HMGET', KEYS[1], 'token', 'until', 'since', 'asked')
redis.call('PEXPIRE', KEYS[1], LOCK * 1000) -- before other writes, so that full memory refuses none
-- Where the clock went back, all that was refreshed before lies in the future: that is a gap, too.
if held[4] and held[4] > score(time) then held = {} end
local since = tonumber(held[3] or '') or time
redis.call('HSET', KEYS[1], 'asked', score(time))
if held[1] and held[1] ~= ARGV[1] and time < tonumber(held[2] or '') then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'until', score(time + LOCK), 'since', score(since))
if not held[1] then redis.call('PEXPIRE', KEYS[1], LOCK * 1000) end
return 1
