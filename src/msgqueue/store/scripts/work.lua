-- work(worker, seq, lane, count, now_text, #queues, queue..., #outcomes,
--      {queue, id, execution, kind, value, started, ended, started_text, ended_text,
--       dump}...)
-- Reports what a child has ended and claims its next jobs, in one step.
-- KEYS[1]  the worker's hash: `death` or another `mq_lane` closes the lane, `mq_seq` is its last call,
--   `mq_reply` the answer, `mq_max` the default of max_deliveries for plain rq's jobs
-- Answers {state, #refused, {id, how often declined...}, refused member...,
--   {queue, id, data, timeout, plain, earlier runs}...}, flat but for the jobs that others declined;
--   state: '', 'missing', 'dead', 'old'. The execution of all is <lane>.<seq>.
-- uses: clock, wip, front, keeping, admit, dependents, runs, final, again, endings, damage
local worker_key, worker, seq, lane = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local count, now_text = tonumber(ARGV[4]), ARGV[5]

local lane_state = redis.pcall('HMGET', worker_key, 'mq_seq', 'death', 'mq_reply', 'mq_lane', 'mq_max', 'mq_result_ttl')
if lane_state[2] then return {'dead', 0, {}} end
if not lane_state[1] then return {'missing', 0, {}} end -- or of another type, which the next beat replaces
if lane_state[4] ~= lane then return {'dead', 0, {}} end
if seq < tonumber(lane_state[1]) then return {'old', 0, {}} end
redis.call('EXPIRE', worker_key, 60) -- first, so that full memory refuses none of what follows

local time = now()
local execution = lane .. '.' .. seq
local max_deliveries = lane_state[5]
DEFAULT_RESULT_TTL = tonumber(lane_state[6] or '') or DEFAULT_RESULT_TTL

-- What says whether and how a job runs, in this order.
local STATUS, DATA, TIMEOUT, OURS, EXECUTION, MAX, ORIGIN = 1, 2, 3, 4, 5, 6, 7
local function read(key)
  return redis.call('HMGET', key, 'status', 'data', 'timeout', 'mq_task', 'mq_exec', 'mq_max', 'origin')
end

-- How many runs a job has had, whether any of them died, whether it is plain: that it has none of
-- what rq alone understands; and how often it was declined. A job of ours that was never claimed is
-- looked at no further.
local function history(key, f)
  if f[OURS] and not f[EXECUTION] then return 0, false, 1 end
  local more = redis.call('HMGET', key, 'number_of_retries', 'mq_retries', 'mq_deaths', 'mq_declined',
    'success_callback_name', 'failure_callback_name', 'webhooks', 'repeats_left', 'rate_limit_key')
  local runs, plain = 0, 1
  for at = 1, 3 do
    local digits = string.match(more[at] or '', '^%d+$')
    if digits and #digits < 10 then runs = runs + digits end
  end
  for at = 5, #more do
    if not f[OURS] and more[at] and more[at] ~= '' and more[at] ~= '0' then plain = 0 end
  end
  return runs, more[3], plain, more[4]
end

-- Whole seconds; '' for a job that says nothing of it. Most of a batch say the same.
local known_limits = {[''] = ''}
local function time_limit(text)
  text = text or ''
  if known_limits[text] then return known_limits[text] end
  local limit = tonumber(text)
  if not limit or limit ~= limit then error('the timeout is no number', 0) end
  known_limits[text] = math.ceil(math.max(-1, math.min(limit, LONGEST)))
  return known_limits[text]
end

local declined = {}
local answer, size = {'', 0, declined}, 3
local function hand_out(queue, id, f, limit, runs, plain, times)
  answer[size + 1], answer[size + 2], answer[size + 3] = queue, id, f[DATA]
  answer[size + 4], answer[size + 5], answer[size + 6] = limit, plain, runs
  size = size + 6
  if times then
    declined[#declined + 1], declined[#declined + 2] = id, tonumber(string.match(times, '^%d%d?$') or 0)
  end
end

local reply = {} -- what `mq_reply` will hold
local function refuse(name)
  size = size + 1
  answer[2], answer[size] = answer[2] + 1, name
  reply[#reply + 1] = 'r\n' .. name .. '\n'
end

local function hand_out_again(queue, id)
  if not owns(queue, id, execution) then return end
  local key = RQ .. 'job:' .. id
  local f = read(key)
  local runs, _, plain, times = history(key, f)
  if f[DATA] then hand_out(queue, id, f, time_limit(f[TIMEOUT]), runs, plain, times) end
end

-- The same call again: what it refused, and those of its jobs that still are its own. One that was
-- damaged meanwhile is left to the sweep.
if seq == tonumber(lane_state[1]) then
  for kind, queue, id in string.gmatch(lane_state[3] or '', '(%l)([^\n]*)\n([^\n]*)\n') do
    if kind == 'r' then refuse(id) else pcall(hand_out_again, queue, id) end
  end
  return answer
end

-- Whether each run owns its job, and whether anybody depends on any, asked for all at once.
local function ask(runs)
  local by_queue, dependents = {}, {}
  for number, run in ipairs(runs) do
    local members = by_queue[run.queue] or {}
    by_queue[run.queue] = members
    members[#members + 1] = run.member
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

local queue_count = tonumber(ARGV[6])
local runs = read_runs(8 + queue_count, tonumber(ARGV[7 + queue_count]), worker, time)
if #runs > 0 then
  local owned, alone = ask(runs)
  for _, run in ipairs(runs) do
    run.alone = alone
    if owned[run.member] then
      local ok, said = pcall(record, run, run.how, run.value)
      if not ok then set_aside(run.queue, run.id, run.execution, said) end
    elseif refuse_outcome(run, run.how, run.value) == 'lost' then
      refuse(run.member)
    end
  end
  visit_ended(now_text)
end
flush()

-- Whether an id in a list is to be run: 'take', 'alone' (only as the first of a claim), 'wait' for
-- being the first, or 'drop'.
local mine = {} -- ids that this call has taken
local function judge(queue, id, f, died, first)
  local status, former = f[STATUS], f[EXECUTION]
  if status == 'canceled' then return 'drop' end
  if not f[DATA] then error('its hash has no data', 0) end -- or is gone, then nothing is set aside
  if mine[id] or (former and owns(queue, id, former)) then return 'drop' end -- a second copy
  if status ~= 'queued' then
    if redis.call('ZCARD', RQ .. 'executions:' .. id) > 0 then return 'drop' end
    local registry = (status == 'finished' and 'finished:') or
      ((status == 'failed' or status == 'stopped') and 'failed:')
    if registry and redis.call('ZSCORE', RQ .. registry .. queue, id) then return 'drop' end
  end
  if died or f[MAX] == '1' then return first and 'alone' or 'wait' end
  return 'take'
end

local function take(queue, id, first)
  local key = RQ .. 'job:' .. id
  local f = read(key)
  local runs, died, plain, times = history(key, f)
  local verdict = judge(queue, id, f, died, first)
  if verdict == 'wait' or verdict == 'drop' then return verdict end
  if not is_text(id) then error('its id is no text', 0) end
  local limit = time_limit(f[TIMEOUT])
  mine[id] = true
  redis.call('HSET', key, 'status', 'started', 'started_at', now_text, 'worker_name', worker, 'mq_exec', execution)
  if f[ORIGIN] ~= queue then redis.call('HSET', key, 'origin', queue) end
  if max_deliveries and not f[OURS] then redis.call('HSET', key, 'mq_max', max_deliveries) end
  if f[EXECUTION] or not f[OURS] then redis.call('PERSIST', key) end
  -- rq keeps for ever what a job waited for, until a worker of its own ends it.
  if not f[OURS] then redis.call('EXPIRE', RQ .. 'job::' .. id .. ':dependencies', DEFAULT_FAILURE_TTL) end
  hand_out(queue, id, f, limit, runs, plain, times)
  return verdict
end

-- At most what falls to one of the workers of a queue, so that none waits while another has plenty.
local function share(queue, wanted)
  local workers = wanted > 1 and redis.pcall('SCARD', RQ .. 'workers:' .. queue) or 1
  if type(workers) ~= 'number' or workers < 2 then return wanted end
  return math.max(1, math.min(wanted, math.ceil(redis.call('LLEN', RQ .. 'queue:' .. queue) / workers)))
end

-- Reads the head of a queue, takes what it may, and pops last what was handled.
local taken, alone = 0, false
local lease = score(time + LEASE)
local function claim(queue, wanted)
  local list, wip, noted = RQ .. 'queue:' .. queue, RQ .. 'wip:' .. queue, 'c' .. queue .. '\n'
  wanted = taken + share(queue, wanted)
  local ids = redis.call('LRANGE', list, 0, wanted - taken + 15)
  local handled = 0
  for _, id in ipairs(ids) do
    if taken == wanted or alone then break end
    local ok, verdict = pcall(take, queue, id, taken == 0)
    if not ok then
      set_aside(queue, id, nil, verdict)
    elseif verdict == 'wait' then
      alone = true
      break
    elseif verdict ~= 'drop' then
      taken = taken + 1
      put_later(wip, lease, member(id, execution))
      reply[#reply + 1] = noted .. id .. '\n'
      alone = verdict == 'alone'
    end
    handled = handled + 1
  end
  flush()
  if handled > 0 then redis.call('LPOP', list, handled) end
  return handled > 0 and handled == #ids
end

if count > 0 and redis.call('EXISTS', RQ .. 'suspended') == 0 then
  for number = 1, queue_count do
    local queue, again, rounds = ARGV[6 + number], true, 0
    -- A head full of dead ids must not hide the jobs behind it.
    while again and taken < count and not alone and rounds < 8 do
      local ok, more = pcall(claim, queue, math.min(count - taken, 64))
      again, rounds = ok and more, rounds + 1 -- not ok: the queue's key is no list, nothing was popped
    end
    if alone or taken == count then break end
  end
end
redis.call('HSET', worker_key, 'mq_seq', seq, 'mq_reply', table.concat(reply))
return answer
