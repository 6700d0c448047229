-- standings(id...)
-- How jobs stand: status and newest result.
-- Answers, for each, {status or false, {stream id, {result field...}} or false, 1 or false for a None
-- that is not kept, how often rq is to repeat it or false}.
local answer = {}
for index, id in ipairs(ARGV) do
  local last = redis.call('XREVRANGE', RQ .. 'results:' .. id, '+', '-', 'COUNT', 1)
  local f = redis.call('HMGET', RQ .. 'job:' .. id, 'status', 'mq_none', 'repeats_left')
  answer[index] = {f[1], last[1] or false, f[2], f[3]}
end
return answer
