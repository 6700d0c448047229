-- work(worker, seq, lane, count, now_text, #queues, queue..., #outcomes,
--      {queue, id, execution, kind, value, started, ended, started_text, ended_text}...)
-- Reports what a child has ended and claims its next jobs, in one step.
-- KEYS[1]  the worker's hash: `death` or another `mq_lane` closes the lane, `mq_seq` is its last call,
--   `mq_reply` the answer, `mq_max` the default of max_deliveries for plain rq's jobs
-- Answers {state, #refused, refused member..., {queue, id, execution, data, timeout, enqueued_at,
--   plain, number_of_retries, mq_retries, mq_deaths}...}; state: '', 'missing', 'dead', 'old'.
-- uses: clock, wip, front, keeping, dependents, endings, damage
local worker_key, worker, seq, lane = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local count, now_text = tonumber(ARGV[4]), ARGV[5]

local lane_state = redis.call('HMGET', worker_key, 'mq_seq', 'death', 'mq_reply', 'mq_lane', 'mq_max', 'mq_result_ttl')
if lane_state[2] then return {'dead', 0} end
if not lane_state[1] then return {'missing', 0} end
if lane_state[4] ~= lane then return {'dead', 0} end
if seq < tonumber(lane_state[1]) then return {'old', 0} end
redis.call('EXPIRE', worker_key, 60) -- first, so that full memory refuses none of what follows

local time = now()
local execution = lane .. '.' .. seq
local max_deliveries = lane_state[5]
DEFAULT_RESULT_TTL = tonumber(lane_state[6] or '') or DEFAULT_RESULT_TTL
-- The first seven say whether and how it runs; the rest tell of former runs, and of what rq alone
-- understands.
local WANTED = {'status', 'data', 'timeout', 'mq_task', 'enqueued_at', 'mq_exec', 'mq_max'}
local FORMER = {'number_of_retries', 'mq_retries', 'mq_deaths', 'success_callback_name', 'failure_callback_name',
  'webhooks', 'repeats_left', 'rate_limit_key'}

local function is_former(f) -- whether it may have run before
  return f[6] or not f[4]
end

local function is_plain(f, former)
  if f[4] then return 1 end
  for at = 4, #FORMER do
    if former[at] and former[at] ~= '' and former[at] ~= '0' then return 0 end
  end
  return 1
end

local function claimed(queue, id, key, f, former)
  former = former or is_former(f) and redis.call('HMGET', key, unpack(FORMER)) or {}
  return {queue, id, execution, f[2], f[3] or '', f[5] or '', is_plain(f, former), former[1] or '', former[2] or '',
    former[3] or ''}
end

-- The same call again: what it refused, and those of its jobs that still are its own.
if seq == tonumber(lane_state[1]) then
  local answer, refused = {'', 0}, 0
  for kind, queue, id in string.gmatch(lane_state[3] or '', '(%l)([^\n]*)\n([^\n]*)\n') do
    local key = RQ .. 'job:' .. id
    if kind == 'r' then
      refused = refused + 1
      table.insert(answer, 2 + refused, id)
    elseif owns(queue, id, execution) then
      local f = redis.call('HMGET', key, unpack(WANTED))
      if f[2] then answer[#answer + 1] = claimed(queue, id, key, f) end
    end
  end
  answer[2] = refused
  return answer
end

local reply, answer = {}, {'', 0}
local queue_count = tonumber(ARGV[6])
local runs, at = {}, 8 + queue_count
for number = 1, tonumber(ARGV[7 + queue_count]) do
  local id = ARGV[at + 1]
  runs[number] = {queue = ARGV[at], id = id, key = RQ .. 'job:' .. id, execution = ARGV[at + 2], kind = ARGV[at + 3],
    value = ARGV[at + 4], started = ARGV[at + 5], ended = ARGV[at + 6], started_text = ARGV[at + 7],
    ended_text = ARGV[at + 8], worker = worker, now = time}
  at = at + 9
end

-- Whether each run owns its job, and whether anybody depends on any, asked for all at once.
local function ask(runs)
  local by_queue, dependents = {}, {}
  for number, run in ipairs(runs) do
    local members = by_queue[run.queue] or {}
    by_queue[run.queue] = members
    members[#members + 1] = member(run.id, run.execution)
    dependents[number] = run.key .. ':dependents'
  end
  local owned = {}
  for queue, members in pairs(by_queue) do
    for index, score in ipairs(redis.call('ZMSCORE', RQ .. 'wip:' .. queue, unpack(members))) do
      owned[members[index]] = score
    end
  end
  return owned, redis.call('EXISTS', unpack(dependents)) == 0
end

if #runs > 0 then
  local owned, alone = ask(runs)
  for _, run in ipairs(runs) do
    local name = member(run.id, run.execution)
    run.alone = alone
    if owned[name] then
      local ok, said = pcall(record, run, run.kind, run.value)
      if not ok then set_aside(run.queue, run.id, run.execution, said) end
    else
      forget(run.queue, run.id, run.execution, true)
      answer[2] = answer[2] + 1
      answer[#answer + 1] = name
      reply[#reply + 1] = 'r\n' .. name .. '\n'
    end
  end
  visit_ended(now_text)
end
flush()

-- Whether an id in a list is to be run: 'take', 'alone' (only as the first of a claim), 'wait' for
-- being the first, or 'drop'.
local function judge(queue, id, f, deaths, taken)
  local status = f[1]
  if not f[2] or status == 'canceled' then return 'drop' end
  if f[6] and (f[6] == execution or owns(queue, id, f[6])) then return 'drop' end -- a second copy
  if status ~= 'queued' then
    if redis.call('ZCARD', RQ .. 'executions:' .. id) > 0 then return 'drop' end
    local registry = (status == 'finished' and 'finished:') or
      ((status == 'failed' or status == 'stopped') and 'failed:')
    if registry and redis.call('ZSCORE', RQ .. registry .. queue, id) then return 'drop' end
  end
  if deaths or f[7] == '1' then return taken == 0 and 'alone' or 'wait' end
  return 'take'
end

local function take(queue, id, taken)
  local key = RQ .. 'job:' .. id
  local f = redis.call('HMGET', key, unpack(WANTED))
  local former = is_former(f) and redis.call('HMGET', key, unpack(FORMER))
  local verdict = judge(queue, id, f, former and former[3], taken)
  if verdict == 'wait' or verdict == 'drop' then return verdict end
  if f[3] and not tonumber(f[3]) then error('the timeout is no number') end
  redis.call('HSET', key, 'status', 'started', 'started_at', now_text, 'worker_name', worker,
    'mq_exec', execution, 'origin', queue)
  if max_deliveries and not f[4] then redis.call('HSET', key, 'mq_max', max_deliveries) end
  if former then redis.call('PERSIST', key) end
  return verdict, claimed(queue, id, key, f, former or {})
end

-- At most what falls to one of the workers of a queue, so that none waits while another has plenty.
local function share(queue, wanted)
  local workers = wanted > 1 and redis.call('SCARD', RQ .. 'workers:' .. queue) or 1
  if workers < 2 then return wanted end
  return math.max(1, math.min(wanted, math.ceil(redis.call('LLEN', RQ .. 'queue:' .. queue) / workers)))
end

-- Reads the head of a queue, takes what it may, and pops last what was handled.
local lease = score(time + LEASE)
local function claim(queue, wanted, taken)
  local list, wip = RQ .. 'queue:' .. queue, RQ .. 'wip:' .. queue
  wanted = share(queue, wanted)
  local ids = redis.call('LRANGE', list, 0, wanted + 15)
  local jobs, handled, alone = {}, 0, false
  for _, id in ipairs(ids) do
    if #jobs == wanted or alone then break end
    local ok, verdict, job = pcall(take, queue, id, taken + #jobs)
    if not ok then
      set_aside(queue, id, nil, verdict)
    elseif verdict == 'wait' then
      alone = true
      break
    elseif job then
      jobs[#jobs + 1] = job
      put_later(wip, lease, member(id, execution))
      alone = verdict == 'alone'
    end
    handled = handled + 1
  end
  flush()
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
