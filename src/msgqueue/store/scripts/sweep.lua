-- sweep(token, now_text, default_max, reason)
-- Puts right what nobody refreshes any more: each such execution is a death of its process.
-- Only for the holder of the upkeep lock, once that is HOLD seconds old: after an outage, or where the
-- clock went back, the living beat first.
-- KEYS[1]  the upkeep lock
-- Answers {state, requeued, failed, gone, rest}; state '' or 'not leader', 'waiting'; rest: for so many
-- seconds nothing more can grow old.
-- uses: clock, wip, front, keeping, admit, dependents, runs, final, again, endings, damage
local OLD, HOLD, PAGE = 8, 4, 100
local held = redis.call('HMGET', KEYS[1], 'token', 'since', 'asked')
if held[1] ~= ARGV[1] then return {'not leader', 0, 0, 0, '0'} end
local time = now()
if held[3] > score(time) or time - tonumber(held[2]) < HOLD then return {'waiting', 0, 0, 0, '0'} end
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows

local answer, rest = {'', 0, 0, 0}, OLD
local function bury(queue, name)
  local id, execution = string.match(name, '^(.*):(%x+%.%d+)$')
  if not id then return false end -- rq's own
  local run = {queue = queue, id = id, key = RQ .. 'job:' .. id, execution = execution, now = time, started = score(time), ended = score(time),
    started_text = '', ended_text = ARGV[2], worker = redis.pcall('HGET', RQ .. 'job:' .. id, 'worker_name')}
  if type(run.worker) ~= 'string' then run.worker = '' end
  local ok, said = pcall(die, run, true, tonumber(ARGV[3]), ARGV[4])
  if not ok then
    set_aside(queue, id, execution, said)
    said = 'failed'
  end
  local slot = said == 'requeued' and 2 or said == 'failed' and 3 or 4
  answer[slot] = answer[slot] + 1
  return true
end

local function sweep(queue)
  local wip = RQ .. 'wip:' .. queue
  -- Members leave at the end of the script only, so pages stay where they are.
  local function pass(min, max)
    local buried, at = 0, 0
    repeat
      local names = redis.call('ZRANGEBYSCORE', wip, min, max, 'LIMIT', at, PAGE)
      for _, name in ipairs(names) do
        if bury(queue, name) then buried = buried + 1 end
      end
      at = at + PAGE
    until #names < PAGE or buried >= PAGE
    if buried >= PAGE then rest = 0 end
  end
  local old = score(time + LEASE - OLD)
  pass('-inf', '(' .. old)
  local oldest = redis.call('ZRANGEBYSCORE', wip, old, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  if oldest then rest = math.min(rest, tonumber(oldest) - tonumber(old)) end
  pass('(' .. score(time + LEASE + 1), '+inf') -- refreshed in the future: the clock went back
end

for _, list in ipairs(redis.call('SMEMBERS', RQ .. 'queues')) do
  pcall(sweep, string.sub(list, #RQ + 7)) -- one whose place is of another type keeps no other from it
end
visit_ended(ARGV[2])
flush()
answer[5] = score(rest)
return answer
