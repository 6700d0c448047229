-- supervisors()
-- How many supervisors have children here: a child's name is its supervisor's, a dot and its lane.
-- Answers a number.
local seen, count = {}, 0
for _, worker in ipairs(redis.call('SMEMBERS', RQ .. 'workers')) do
  local supervisor = string.match(worker, '^(.+)%.%x+$')
  if supervisor and not seen[supervisor] then
    seen[supervisor] = true
    count = count + 1
  end
end
return count
