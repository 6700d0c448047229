-- enqueue({id, queue, place, unique, created_at, timeout, task, data, description,
--          #more, field, value...}...)
-- Creates jobs and puts each in its place: 'back' or 'front' of its queue, or the time it is due.
-- A job of the same id that is alive is left as it is; a final one is replaced unless `unique`.
-- The very same call again (known by created_at) is answered as the first was, also where others of
-- its id came since: see leave_trace.
-- Answers {number, created, status} of each job that was there before, flat; numbers begin at 1.
-- uses: clock, wip, keeping
local FINAL = {finished = 'finished:', failed = 'failed:', stopped = 'failed:', canceled = 'canceled:'}
local OWN = 10 -- arguments of a job before its further fields

local jobs, at = {}, 1
while at <= #ARGV do
  jobs[#jobs + 1] = at
  at = at + OWN + 2 * ARGV[at + OWN - 1]
end

-- Whether anything is known of any of these ids, asked for all at once: mostly nothing is.
local function any_known()
  local keys = {}
  for number, at in ipairs(jobs) do
    keys[2 * number - 1] = RQ .. 'job:' .. ARGV[at]
    keys[2 * number] = MQ .. 'done:' .. ARGV[at]
  end
  return #keys > 0 and redis.call('EXISTS', unpack(keys)) > 0
end

-- What stands under this id: nil for nothing, else its status and whether this very call made it.
local function standing(id, created_at)
  local f = redis.call('HMGET', RQ .. 'job:' .. id, 'status', 'created_at', 'origin', 'mq_exec')
  local known = f[1] or f[2]
  if known and (f[2] == created_at or not FINAL[f[1]]) then return f[1] or 'queued', f[2] == created_at, f end
  if has_trace(id, '+' .. created_at) then return 'finished', true, f end
  if known then return f[1], false, f end
end

local function remove(id, f)
  local queue = f[3] or ''
  if f[2] then leave_trace(id, '+' .. f[2]) end
  redis.call('DEL', RQ .. 'job:' .. id, RQ .. 'results:' .. id)
  redis.call('PERSIST', RQ .. 'job:' .. id .. ':dependents') -- they wait for the new one
  for _, registry in pairs(FINAL) do redis.call('ZREM', RQ .. registry .. queue, id) end
  -- A run that still goes on under the old call is refused when it reports.
  if f[4] then redis.call('ZREM', RQ .. 'wip:' .. queue, member(id, f[4])) end
end

-- Every field that rq writes, empty ones included. `mq_task` marks a job of ours: it has none of
-- what rq alone understands. What a claim reads comes first, where Redis finds it soonest.
local function write(at, status)
  local id, created_at = ARGV[at], ARGV[at + 4]
  redis.call('HSET', RQ .. 'job:' .. id, 'status', status, 'timeout', ARGV[at + 5], 'mq_task', ARGV[at + 6],
    'data', ARGV[at + 7], 'created_at', created_at, 'enqueued_at', status == 'queued' and created_at or '',
    'origin', ARGV[at + 1], 'description', ARGV[at + 8], 'success_callback_name', '',
    'failure_callback_name', '', 'stopped_callback_name', '', 'started_at', '', 'ended_at', '',
    'last_heartbeat', '', 'worker_name', '', 'group_id', '',
    unpack(ARGV, at + OWN, at + OWN - 1 + 2 * ARGV[at + OWN - 1]))
end

local function status_of(at)
  return (ARGV[at + 2] == 'back' or ARGV[at + 2] == 'front') and 'queued' or 'scheduled'
end

local pushes = {back = {}, front = {}} -- of each end: {queue = {id...}}
local function place(at)
  local id, queue, where = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if not pushes[where] then
    redis.call('ZADD', RQ .. 'scheduled:' .. queue, where, id)
    redis.call('SADD', RQ .. 'queues', RQ .. 'queue:' .. queue)
    return
  end
  local ids = pushes[where][queue] or {}
  pushes[where][queue] = ids
  ids[#ids + 1] = id
end

local function push(command, by_queue)
  for queue, ids in pairs(by_queue) do
    redis.call(command, RQ .. 'queue:' .. queue, unpack(ids))
    redis.call('SADD', RQ .. 'queues', RQ .. 'queue:' .. queue)
  end
end

local answer, some, made, replaced = {}, any_known(), {}, {}
for number, at in ipairs(jobs) do
  local id, status, same, f = ARGV[at]
  if made[id] then
    status, same = status_of(made[id]), ARGV[made[id] + 4] == ARGV[at + 4]
  elseif some then
    status, same, f = standing(id, ARGV[at + 4])
  end
  if status and (same or not FINAL[status] or ARGV[at + 3] == '1') then
    answer[#answer + 1] = number
    answer[#answer + 1] = same and 1 or 0
    answer[#answer + 1] = status
  else
    made[id], replaced[id] = at, f
  end
end
-- What stands here is told by who takes writes alone: a new primary may lack what a replaced one has.
if not next(made) then redis.call('EXPIRE', MQ .. 'none', 1) end
-- The places first: where one cannot be written, none of the jobs is.
for _, at in ipairs(jobs) do
  if made[ARGV[at]] == at then place(at) end
end
push('RPUSH', pushes.back)
push('LPUSH', pushes.front)
for id, f in pairs(replaced) do remove(id, f) end
for _, at in pairs(made) do write(at, status_of(at)) end
return answer
