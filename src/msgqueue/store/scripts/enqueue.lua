-- enqueue({id, queue, place, score, unique, created_at, ttl, #fields, field, value, ...}...)
-- Creates jobs and puts each in its place: back or front of its queue, or at its time.
-- A job of the same id that is alive is left as it is; a final one is replaced unless `unique`.
-- The very same call again (known by created_at) is answered as the first was.
-- Answers {created, status} a job, flat.
-- uses: clock, wip
local FINAL = {finished = 'finished:', failed = 'failed:', stopped = 'failed:', canceled = 'canceled:'}

-- What stands under this id: nil for nothing, else its status and whether it may be replaced.
local function standing(id, created_at)
  local f = redis.call('HMGET', RQ .. 'job:' .. id, 'status', 'created_at', 'origin', 'mq_exec')
  if f[1] or f[2] then return f[1] or 'queued', f[2] == created_at, f end
  if redis.call('GET', MQ .. 'done:' .. id) == created_at then return 'finished', true, f end
end

local function remove(id, f)
  local queue = f[3] or ''
  redis.call('DEL', RQ .. 'job:' .. id, RQ .. 'results:' .. id)
  for _, registry in pairs(FINAL) do redis.call('ZREM', RQ .. registry .. queue, id) end
  -- A run that still goes on under the old call is refused when it reports.
  if f[4] then redis.call('ZREM', RQ .. 'wip:' .. queue, member(id, f[4])) end
end

local function create(at, fields)
  local id, queue, place = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local key = RQ .. 'job:' .. id
  redis.call('HSET', key, unpack(ARGV, at + 8, at + 7 + fields))
  if ARGV[at + 6] ~= '' then redis.call('EXPIRE', key, ARGV[at + 6]) end
  if place == 'at' then
    redis.call('ZADD', RQ .. 'scheduled:' .. queue, ARGV[at + 3], id)
  else
    redis.call(place == 'front' and 'LPUSH' or 'RPUSH', RQ .. 'queue:' .. queue, id)
  end
  return RQ .. 'queue:' .. queue, place == 'at' and 'scheduled' or 'queued'
end

local answer, queues, at = {}, {}, 1
while at <= #ARGV do
  local id, fields = ARGV[at], tonumber(ARGV[at + 7])
  local status, same, f = standing(id, ARGV[at + 5])
  if status and (same or not FINAL[status] or ARGV[at + 4] == '1') then
    answer[#answer + 1] = same and 1 or 0
    answer[#answer + 1] = status
  else
    if status then remove(id, f) end
    local queue, became = create(at, fields)
    if not queues[queue] then
      redis.call('SADD', RQ .. 'queues', queue)
      queues[queue] = true
    end
    answer[#answer + 1] = 1
    answer[#answer + 1] = became
  end
  at = at + 8 + fields
end
return answer
