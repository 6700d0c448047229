-- leftovers(token, now_text, reason)
-- Ends what plain rq workers that died have left behind, by rq's rules, 100 a queue:
--   an execution past its expiry is an error of its job: Retry decides whether that runs again;
--   a job that was noted there and did not start goes back to the front, unless it lies in a list;
--   an id that a worker popped and never started goes back to the front once it was seen a minute long.
-- Only for the holder of the upkeep lock, as a sweep. A queue that a plain rq worker is cleaning right
-- now is left to it, and what only rq can end whole (callbacks, webhooks, rate limits) for a while.
-- KEYS[1]  the upkeep lock
-- Answers {requeued, failed, dropped}.
-- uses: clock, wip, places, front, keeping, admit, dependents, runs, final, again, endings, damage
local HOLD, PAGE, STUCK, RQS_TURN = 4, 100, 60, 1000
local CLEANING, CLEANED = 899, 60 -- rq's lock lives so long; a cleaning is over so soon
local held = redis.call('HMGET', KEYS[1], 'token', 'since')
local time, now_text, answer = now(), ARGV[2], {0, 0, 0}
if held[1] ~= ARGV[1] or time - tonumber(held[2]) < HOLD then return answer end
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows

local function count(slot)
  answer[slot] = answer[slot] + 1
end

local function lies_in_a_list(queue, id)
  local list = RQ .. 'queue:' .. queue
  return redis.call('LPOS', list, id) or redis.call('LPOS', list .. ':intermediate', id)
end

local function bury(queue, id, execution, expired)
  local key = RQ .. 'job:' .. id
  local f = redis.call('HMGET', key, 'failure_callback_name', 'webhooks', 'rate_limit_key')
  local rqs = f[1] and f[1] ~= '' or f[2] or f[3]
  if rqs and time < tonumber(expired) + RQS_TURN then return end
  local job = look(key)
  if job.status == 'started' then
    count(job.retries_left > 0 and 1 or 2)
    err({queue = queue, id = id, key = key, execution = execution, worker = '', now = time, started = score(time),
      ended = score(time), started_text = '', ended_text = now_text, dump = ''}, job, ARGV[3])
    redis.call('EXPIRE', RQ .. 'job::' .. id .. ':dependencies', DEFAULT_FAILURE_TTL) -- rq let it go
  elseif job.status == 'queued' and not lies_in_a_list(queue, id) then
    count(1)
    put_front(queue, {{id = id, at = job.enqueued_at}})
  else
    count(3) -- it was left over by an end
  end
  forget(queue, id, execution, true)
end

-- Whether a popped id has been there for long: rq's own key says since when.
local function is_stuck(list, id)
  local seen = list .. ':first_seen:' .. id
  if redis.call('SET', seen, score(time), 'NX', 'EX', 86400) then return false end
  return time - (tonumber(redis.call('GET', seen)) or time) > STUCK
end

local function unstick(queue, list, id)
  local key = RQ .. 'job:' .. id
  local f = redis.call('HMGET', key, 'status', 'origin', 'mq_exec', 'enqueued_at')
  local place = f[1] and place_of(id, {f[1], queue, f[3]}) or 'final'
  if place == 'final' or (place == 'waiting' and f[1] == 'queued' and is_stuck(list, id)) then
    if redis.call('LREM', list, 1, id) == 0 then return end
    redis.call('DEL', list .. ':first_seen:' .. id)
    if place == 'final' or redis.call('LPOS', RQ .. 'queue:' .. queue, id) then return count(3) end
    put_front(queue, {{id = id, at = f[4] or ''}})
    count(1)
  end
end

local function bury_abandoned(queue)
  local wip = RQ .. 'wip:' .. queue
  local expired = redis.call('ZRANGEBYSCORE', wip, '-inf', '(' .. score(time), 'WITHSCORES', 'LIMIT', 0, PAGE)
  for at = 1, #expired, 2 do
    local id, execution = string.match(expired[at], '^(.*):(%x+)$')
    if id then -- not ours
      local ok, said = pcall(bury, queue, id, execution, expired[at + 1])
      if not ok then set_aside(queue, id, execution, said) end
    end
  end
end

local function unstick_popped(queue)
  local list = RQ .. 'queue:' .. queue .. ':intermediate'
  for _, id in ipairs(redis.call('LRANGE', list, 0, PAGE - 1)) do
    local ok, said = pcall(unstick, queue, list, id)
    if not ok then
      set_aside(queue, id, nil, said)
      redis.call('LREM', list, 1, id)
    end
  end
end

for _, waiting in ipairs(redis.call('SMEMBERS', RQ .. 'queues')) do
  local queue = string.sub(waiting, #RQ + 7)
  if redis.call('TTL', RQ .. 'clean_registries:' .. queue) <= CLEANING - CLEANED then
    pcall(bury_abandoned, queue) -- where a place is of another type, all others are looked at
    pcall(unstick_popped, queue)
  end
end
visit_ended(now_text)
flush()
return answer
