-- Back to the front of a queue, merged by enqueued_at with the first ids there, so that workers
-- which give back one after the other do not swap the order.

local function earlier(a, b)
  if a.at ~= b.at then return a.at < b.at end
  return a.rank < b.rank
end

local function put_front(queue, jobs) -- jobs: {{id = , at = enqueued_at}, ...}, in claim order
  if #jobs == 0 then return end
  for rank, job in ipairs(jobs) do job.rank = rank end
  table.sort(jobs, earlier)
  local list = RQ .. 'queue:' .. queue
  local latest, passed = jobs[#jobs].at, 0
  for index, id in ipairs(redis.call('LRANGE', list, 0, 127)) do
    local at = redis.pcall('HGET', RQ .. 'job:' .. id, 'enqueued_at')
    if type(at) ~= 'string' or at >= latest then break end
    table.insert(jobs, {id = id, at = at, rank = 1000 + index})
    passed = index
  end
  if passed > 0 then
    table.sort(jobs, earlier)
    redis.call('LPOP', list, passed)
  end
  for index = #jobs, 1, -1 do redis.call('LPUSH', list, jobs[index].id) end
  redis.call('SADD', RQ .. 'queues', list)
end
