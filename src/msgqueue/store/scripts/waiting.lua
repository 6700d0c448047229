-- waiting(queue...)
-- How many ids wait in each of these queues.
-- Answers {length...}.
local answer = {}
for index, queue in ipairs(ARGV) do answer[index] = redis.call('LLEN', RQ .. 'queue:' .. queue) end
return answer
