-- note_shutdown(now_text, worker...)
-- Shows of these workers when they were asked to end, as rq does.
-- Answers how many were there.
local count = 0
for at = 2, #ARGV do
  local key = RQ .. 'worker:' .. ARGV[at]
  if redis.call('TYPE', key).ok == 'hash' then
    redis.call('HSET', key, 'shutdown_requested_date', ARGV[1])
    count = count + 1
  end
end
return count
