-- waiting(queue...)
-- How many ids wait in each of these queues to be claimed: none while rq's workers are suspended, and
-- none where the queue's key is no list.
-- Answers {length...}.
local answer, suspended = {}, redis.call('EXISTS', RQ .. 'suspended') == 1
for index, queue in ipairs(ARGV) do
  local length = not suspended and redis.pcall('LLEN', RQ .. 'queue:' .. queue)
  answer[index] = type(length) == 'number' and length or 0
end
return answer
