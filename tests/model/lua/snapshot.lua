-- snapshot()
-- Every key: {name, type, deadline in ms or -1, content}.
local READ = {
  hash = {'HGETALL'}, list = {'LRANGE', 0, -1}, set = {'SMEMBERS'}, stream = {'XRANGE', '-', '+'}, string = {'GET'},
  zset = {'ZRANGE', 0, -1, 'WITHSCORES'},
}
local answer = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  local command = READ[kind]
  if command then
    answer[#answer + 1] = {key, kind, redis.call('PEXPIRETIME', key), redis.call(command[1], key, unpack(command, 2))}
  end
end
return answer
