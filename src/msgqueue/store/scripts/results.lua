-- results(id...)
-- The newest entry of each job's result stream: {field, value, ...}, or nothing.
local answer = {}
for index, id in ipairs(ARGV) do
  local ok, last = pcall(redis.call, 'XREVRANGE', RQ .. 'results:' .. id, '+', '-', 'COUNT', 1)
  answer[index] = ok and last[1] and last[1][2] or {}
end
return answer
