-- work(worker, seq, lane, count, now_text, #queues, queue..., #outcomes,
--      {queue, id, execution, kind, value, started, ended, started_text, ended_text}...)
-- Reports what a child has ended and claims its next jobs, in one step.
-- KEYS[1]  the worker's hash: `death` closes the lane, `mq_seq` is its last call, `mq_reply` the answer
-- Answers {state, #refused, refused member..., {queue, id, execution, data, timeout, retries,
--   mq_retries, mq_deaths, enqueued_at, ours}...}; state: '', 'missing', 'dead', 'old'.
-- uses: clock, wip, front, endings, damage
local worker_key, worker, seq, lane = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local count, now_text = tonumber(ARGV[4]), ARGV[5]

local lane_state = redis.call('HMGET', worker_key, 'mq_seq', 'death', 'mq_reply')
if lane_state[2] then return {'dead', 0} end
if not lane_state[1] then return {'missing', 0} end
if seq < tonumber(lane_state[1]) then return {'old', 0} end
redis.call('EXPIRE', worker_key, 60) -- first, so that full memory refuses none of what follows

local time = now()
local WANTED = {'status', 'data', 'timeout', 'number_of_retries', 'mq_retries', 'mq_deaths', 'enqueued_at',
  'mq_task', 'mq_exec', 'mq_max'}

local function claimed(queue, id, execution, f)
  return {queue, id, execution, f[2], f[3] or '', f[4] or '', f[5] or '', f[6] or '', f[7] or '', f[8] and '1' or ''}
end

-- The same call again: what it refused, and those of its jobs that still are its own.
if seq == tonumber(lane_state[1]) then
  local answer, execution, refused = {'', 0}, lane .. '.' .. seq, 0
  for kind, queue, id in string.gmatch(lane_state[3] or '', '(%l)([^\n]*)\n([^\n]*)\n') do
    if kind == 'r' then
      refused = refused + 1
      table.insert(answer, 2 + refused, id)
    elseif owns(queue, id, execution) then
      local f = redis.call('HMGET', RQ .. 'job:' .. id, unpack(WANTED))
      if f[2] then answer[#answer + 1] = claimed(queue, id, execution, f) end
    end
  end
  answer[2] = refused
  return answer
end

local reply, answer = {}, {'', 0}
local queue_count = tonumber(ARGV[6])
local at = 7 + queue_count
local outcomes = tonumber(ARGV[at])
at = at + 1
for _ = 1, outcomes do
  local run = {queue = ARGV[at], id = ARGV[at + 1], execution = ARGV[at + 2], worker = worker, now = time,
    started = tonumber(ARGV[at + 5]), ended = tonumber(ARGV[at + 6]),
    started_text = ARGV[at + 7], ended_text = ARGV[at + 8]}
  local ok, said = pcall(report, run, ARGV[at + 3], ARGV[at + 4])
  if not ok then set_aside(run.queue, run.id, run.execution, said) end
  if said == 'lost' then
    answer[#answer + 1] = member(run.id, run.execution)
    reply[#reply + 1] = 'r\n' .. answer[#answer] .. '\n'
    answer[2] = answer[2] + 1
  end
  at = at + 9
end

-- Whether an id in a list is to be run: 'take', 'alone' (only as the first of a claim), or 'drop'.
local function judge(queue, id, f, taken)
  local status = f[1]
  if not f[2] or status == 'canceled' then return 'drop' end
  if f[9] and (f[9] == lane .. '.' .. seq or owns(queue, id, f[9])) then return 'drop' end -- a second copy
  if status ~= 'queued' then
    if redis.call('ZCARD', RQ .. 'executions:' .. id) > 0 then return 'drop' end
    local registry = (status == 'finished' and 'finished:') or
      ((status == 'failed' or status == 'stopped') and 'failed:')
    if registry and redis.call('ZSCORE', RQ .. registry .. queue, id) then return 'drop' end
  end
  if f[6] or f[10] == '1' then return taken == 0 and 'alone' or 'wait' end
  return 'take'
end

local function take(queue, id, taken, members)
  local f = redis.call('HMGET', RQ .. 'job:' .. id, unpack(WANTED))
  local verdict = judge(queue, id, f, taken)
  if verdict == 'wait' then return 'wait' end
  if verdict == 'drop' then return 'drop' end
  if f[3] and not tonumber(f[3]) then error('the timeout is no number') end
  local execution = lane .. '.' .. seq
  redis.call('HSET', RQ .. 'job:' .. id, 'status', 'started', 'started_at', now_text, 'worker_name', worker,
    'mq_exec', execution, 'origin', queue)
  if not f[8] or f[9] then redis.call('PERSIST', RQ .. 'job:' .. id) end
  members[#members + 1] = score(time + LEASE)
  members[#members + 1] = member(id, execution)
  return verdict, claimed(queue, id, execution, f)
end

-- Reads the head of a queue, takes what it may, and pops last what was handled.
local function claim(queue, wanted, taken)
  local list = RQ .. 'queue:' .. queue
  local ids = redis.call('LRANGE', list, 0, wanted + 15)
  local members, jobs, handled, alone = {}, {}, 0, false
  for _, id in ipairs(ids) do
    if #jobs == wanted or alone then break end
    local ok, verdict, job = pcall(take, queue, id, taken + #jobs, members)
    if not ok then
      set_aside(queue, id, nil, verdict)
    elseif verdict == 'wait' then
      alone = true
      break
    elseif job then
      jobs[#jobs + 1] = job
      alone = verdict == 'alone'
    end
    handled = handled + 1
  end
  if #members > 0 then redis.call('ZADD', RQ .. 'wip:' .. queue, unpack(members)) end
  if handled > 0 then redis.call('LPOP', list, handled) end
  return jobs, alone, handled > 0 and handled == #ids
end

local taken = 0
if count > 0 and redis.call('EXISTS', RQ .. 'suspended') == 0 then
  local alone = false
  for number = 1, queue_count do
    local queue, again, rounds = ARGV[6 + number], true, 0
    -- A head full of dead ids must not hide the jobs behind it.
    while again and taken < count and not alone and rounds < 8 do
      local ok, jobs, ends, more = pcall(claim, queue, math.min(count - taken, 64), taken)
      if not ok then break end -- the queue's key is no list: nothing was popped
      for _, job in ipairs(jobs) do
        taken = taken + 1
        answer[#answer + 1] = job
        reply[#reply + 1] = 'c' .. queue .. '\n' .. job[2] .. '\n'
      end
      alone, again, rounds = ends, more, rounds + 1
    end
    if alone or taken == count then break end
  end
end
redis.call('HSET', worker_key, 'mq_seq', seq, 'mq_reply', table.concat(reply))
return answer
