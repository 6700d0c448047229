-- oldest(queue...)
-- When the job at the head of each queue was enqueued: for how long it has waited.
-- Answers {now, enqueued_at or ''...}.
-- uses: clock
local answer = {score(now())}
for index, queue in ipairs(ARGV) do
  local id = redis.pcall('LINDEX', RQ .. 'queue:' .. queue, 0)
  local at = type(id) == 'string' and redis.pcall('HGET', RQ .. 'job:' .. id, 'enqueued_at')
  answer[index + 1] = type(at) == 'string' and at or ''
end
return answer
