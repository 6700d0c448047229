-- lead(token)
-- Takes or renews the lock of those who sweep. Answers 1 to its holder, else 0.
-- KEYS[1]  hash {token, until, since}. It lives on while anybody asks without a gap as long as the
--   lock; `since` is when that began. A holder may sweep once the living have had time to beat since
--   the last gap (see sweep), whoever held the lock meanwhile.
-- uses: clock
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows
local LOCK = 3
local time = now()
local held = redis.call('HMGET', KEYS[1], 'token', 'until', 'since')
-- What has more than its whole life ahead was written before the clock went back.
if held[1] and redis.call('PTTL', KEYS[1]) > LOCK * 1000 then held = {} end
local since = math.min(tonumber(held[3] or '') or time, time)
local ends = tonumber(held[2] or '') or 0
if held[1] and held[1] ~= ARGV[1] and time < ends and ends <= time + LOCK then
  redis.call('PEXPIRE', KEYS[1], LOCK * 1000)
  return 0
end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'until', score(time + LOCK), 'since', score(since))
redis.call('PEXPIRE', KEYS[1], LOCK * 1000)
return 1
