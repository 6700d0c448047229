-- advance(now in ms, earliest)
-- Lets expire what the time has passed; Redis keeps a key through its last millisecond. A deadline before
-- `earliest` was set by the server's own clock, through a plain command: it becomes one of the test's.
local now, gone = tonumber(ARGV[1]), 0
for _, key in ipairs(redis.call('KEYS', '*')) do
  local deadline = redis.call('PEXPIRETIME', key)
  if deadline > 0 and deadline < tonumber(ARGV[2]) then
    deadline = now + redis.call('PTTL', key)
    redis.call('PEXPIREAT', key, string.format('%.0f', deadline))
  end
  if deadline > 0 and deadline < now then gone = gone + redis.call('DEL', key) end
end
return gone
