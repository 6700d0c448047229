-- For how long jobs are kept that are final.

local DEFAULT_RESULT_TTL = 500
local DEFAULT_FAILURE_TTL = 31536000
local LONGEST = 3153600000 -- a hundred years; Redis refuses what overflows
local FLOOR = 60 -- seconds for which an id is known at least: a copy of its enqueue may come late

local TRACES = 5600 -- bytes of what is known of an id: two hundred traces

-- Whole seconds that Redis takes; -1 is for ever. text: what the hash says
local function seconds(text, default)
  local ttl = tonumber(text or '') or default
  if ttl ~= ttl then ttl = default end -- NaN
  return ttl < 0 and -1 or math.floor(math.min(ttl, LONGEST))
end

-- Of a job that succeeded. text: its field result_ttl, for most of a batch the same
local known_ttls = {}
local function result_ttl(text)
  text = text or ''
  known_ttls[text] = known_ttls[text] or seconds(text, DEFAULT_RESULT_TTL)
  return known_ttls[text]
end

-- Of a job that failed or was cancelled. text: its field failure_ttl
local function failure_ttl(text)
  local ttl = seconds(text, DEFAULT_FAILURE_TTL)
  return ttl < 0 and -1 or math.max(ttl, FLOOR)
end

-- Of a job that says nothing of it: what its worker was started with.
local function result_ttl_of(worker)
  return tonumber(redis.pcall('HGET', RQ .. 'worker:' .. worker, 'mq_result_ttl') or '') or DEFAULT_RESULT_TTL
end

local function expire(key, ttl)
  if ttl < 0 then return redis.call('PERSIST', key) end
  redis.call('EXPIRE', key, ttl)
end

-- What a final job waited for, or who waits for it: known for an hour, and as long as the job, which
-- may be run once more.
local function expire_relations(relations, ttl)
  if ttl >= 0 then redis.call('EXPIRE', relations, math.max(ttl, 3600)) end
end

-- What was done to an id, newest first, is known for a minute: a copy of the call that did it may come
-- late, and must not do it to another job of that id. trace: '+' and the created_at of a job that is
-- soon gone; 'c', 'd' or 'q' and the now_text of a call that cancelled, deleted or requeued one.
local function leave_trace(id, trace)
  local key = MQ .. 'done:' .. id
  local former = redis.call('SET', key, trace, 'EX', FLOOR, 'GET')
  if not former or former == trace then return end
  if string.sub(former, 1, #trace) ~= trace then former = string.sub(trace .. former, 1, TRACES) end
  redis.call('SET', key, former, 'EX', FLOOR)
end

local function has_trace(id, trace)
  return string.find(redis.call('GET', MQ .. 'done:' .. id) or '', trace, 1, true)
end
