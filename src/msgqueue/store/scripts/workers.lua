-- workers()
-- The workers that are registered, ours and plain rq's. Answers {{key, {field, value, ...}}...}.
local answer = {}
for _, key in ipairs(redis.call('SMEMBERS', RQ .. 'workers')) do
  local fields = redis.pcall('HGETALL', key)
  if #fields > 0 then answer[#answer + 1] = {key, fields} end
end
return answer
