-- For how long jobs are kept that are final.

local DEFAULT_RESULT_TTL = 500
local DEFAULT_FAILURE_TTL = 31536000
local LONGEST = 3153600000 -- a hundred years; Redis refuses what overflows
local FLOOR = 60 -- seconds for which an id is known at least: a copy of its enqueue may come late

-- Of a job that failed or was cancelled; -1 is for ever. text: its field failure_ttl
local function failure_ttl(text)
  local ttl = tonumber(text or '') or DEFAULT_FAILURE_TTL
  if ttl ~= ttl then ttl = DEFAULT_FAILURE_TTL end -- NaN
  return ttl < 0 and -1 or math.floor(math.min(math.max(ttl, FLOOR), LONGEST))
end

-- Of a job that says nothing of it: what its worker was started with.
local function result_ttl_of(worker)
  return tonumber(redis.call('HGET', RQ .. 'worker:' .. worker, 'mq_result_ttl') or '') or DEFAULT_RESULT_TTL
end

local function expire(key, ttl)
  if ttl < 0 then return redis.call('PERSIST', key) end
  redis.call('EXPIRE', key, ttl)
end
