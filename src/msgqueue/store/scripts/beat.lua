-- beat(now_text, {worker, lane, seq, state, current, working_time, succeeded, failed, #fields, field, value, ...,
--   #entries, {queue, id, execution, long}...}...)
-- The supervisor keeps its children registered and what they hold leased.
-- A child whose key is gone, or was of another type, is registered again whole; one that was declared
-- dead is left alone.
-- Entries marked long get rq's execution keys, by which rq's own cancel and delete find them.
-- Answers a child: {closed, replaced, {lost member...}, {member to stop...}, {lost member that rq dropped...}}.
-- uses: clock, wip, workers
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows
local now_text, time = ARGV[1], now()

local SHOWN = 180 -- seconds that rq's views show an execution which is not refreshed

local function show_execution(id, execution, worker)
  local key = RQ .. 'execution:' .. member(id, execution)
  redis.call('HSETNX', key, 'created_at', score(time))
  redis.call('HSET', key, 'id', execution, 'job_id', id, 'last_heartbeat', score(time), 'worker_name', worker)
  redis.call('EXPIRE', key, SHOWN)
  redis.call('ZADD', RQ .. 'executions:' .. id, score(time + SHOWN), execution)
  redis.call('EXPIRE', RQ .. 'executions:' .. id, SHOWN)
end

-- 'ok', 'lost' (not ours any more), 'stop', or 'dropped': cancelled or deleted by rq, which may have taken
-- it from us.
local function refresh(queue, id, execution, long, worker)
  local f = redis.pcall('HMGET', RQ .. 'job:' .. id, 'status', 'mq_stop', 'mq_exec')
  local dropped = not f.err and (not f[1] or (f[1] == 'canceled' and f[3] == execution))
  if not owns(queue, id, execution) then return dropped and 'dropped' or 'lost' end
  if f.err then error(f.err, 0) end -- its key is no hash any more: what is held grows old
  redis.call('ZADD', RQ .. 'wip:' .. queue, 'XX', score(time + LEASE), member(id, execution))
  if dropped then return 'dropped' end
  if f[1] == 'canceled' then return 'lost' end
  if long then show_execution(id, execution, worker) end
  return f[2] == execution and 'stop' or 'ok'
end

-- What runs: rq 2 reads the field, rq 3 the set.
local function show_current(key, former, current)
  if current ~= '' then redis.call('HSET', key, 'current_job', current)
  elseif former then redis.call('HDEL', key, 'current_job') end
  if former then redis.call('DEL', key .. ':executions') end
end

local answer, at = {}, 2
while at <= #ARGV do
  local worker, lane, fields = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 8])
  local key = RQ .. 'worker:' .. worker
  local replaced = make_room(key)
  local state = redis.call('HMGET', key, 'mq_lane', 'death', 'current_job')
  local closed = state[2] or (state[1] and state[1] ~= lane)
  local said = {closed and 1 or 0, replaced and 1 or 0, {}, {}, {}}
  if not closed then
    if not state[1] then enter(key, lane, ARGV[at + 2], now_text, {unpack(ARGV, at + 9, at + 8 + fields)}) end
    redis.call('HSET', key, 'last_heartbeat', now_text, 'state', ARGV[at + 3],
      'current_job_working_time', ARGV[at + 5], 'total_working_time', ARGV[at + 5],
      'successful_job_count', ARGV[at + 6], 'failed_job_count', ARGV[at + 7])
    redis.call('EXPIRE', key, WORKER_TTL)
    show_current(key, state[3], ARGV[at + 4])
  end
  at = at + 9 + fields
  local entries = tonumber(ARGV[at])
  for entry = at + 1, at + entries * 4, 4 do
    local queue, id, execution, long = ARGV[entry], ARGV[entry + 1], ARGV[entry + 2], ARGV[entry + 3] == '1'
    local ok, verdict = pcall(refresh, queue, id, execution, long, worker)
    local dropped = ok and verdict == 'dropped'
    local lost = dropped or (ok and verdict == 'lost')
    if lost then table.insert(said[3], member(id, execution)) end
    if ok and verdict == 'stop' then table.insert(said[4], member(id, execution)) end
    if dropped then table.insert(said[5], member(id, execution)) end
    if ok and not lost and long then
      redis.pcall('SADD', key .. ':executions', member(id, execution))
      redis.call('EXPIRE', key .. ':executions', WORKER_TTL)
    end
  end
  at = at + 1 + entries * 4
  answer[#answer + 1] = said
end
return answer
