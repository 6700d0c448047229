-- waiting(queue...)
-- How many ids wait in each of these queues to be claimed: none while rq's workers are suspended.
-- Answers {length...}.
local answer, suspended = {}, redis.call('EXISTS', RQ .. 'suspended') == 1
for index, queue in ipairs(ARGV) do
  answer[index] = suspended and 0 or redis.call('LLEN', RQ .. 'queue:' .. queue)
end
return answer
