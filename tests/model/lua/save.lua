-- save()
-- All of the database: {name, deadline in ms or 0, dump}, for `restore`.
local answer = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  answer[#answer + 1] = {key, math.max(0, redis.call('PEXPIRETIME', key)), redis.call('DUMP', key)}
end
return answer
