-- damaged(limit)
-- What was set aside since it could not be read, the newest first.
-- Answers {how many, {id, when, reason or ''}...}.
local answer = {redis.call('ZCARD', MQ .. 'damaged')}
local rows = redis.call('ZREVRANGE', MQ .. 'damaged', 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
for at = 1, #rows, 2 do
  answer[#answer + 1] = {rows[at], rows[at + 1], redis.call('GET', MQ .. 'damaged:' .. rows[at] .. ':reason') or ''}
end
return answer
