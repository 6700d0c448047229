-- standings(id...)
-- How jobs stand: status and newest result.
-- Answers, for each, {status or false, {stream id, {result field...}} or false}.
local answer = {}
for index, id in ipairs(ARGV) do
  local last = redis.call('XREVRANGE', RQ .. 'results:' .. id, '+', '-', 'COUNT', 1)
  answer[index] = {redis.call('HGET', RQ .. 'job:' .. id, 'status'), last[1] or false}
end
return answer
