-- page(place, queue, anchor score, anchor id, offset, limit, with errors, field...)
-- Part of one list or registry, newest first, with the fields of each hash that exists.
-- The anchor is the last job that a former page showed; '' for the beginning.
-- Answers {{id, score or '', {value...}, {result entry...} or false}...}.
-- uses: clock
local place, queue, anchor, anchor_id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local offset, limit, with_errors = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1'
local fields = {unpack(ARGV, 8)}
local key = RQ .. place .. ':' .. queue

local function row(id, at)
  local ok, values = pcall(redis.call, 'HMGET', RQ .. 'job:' .. id, unpack(fields))
  if not ok or not values[1] then return nil end
  local entry = false
  if with_errors then
    local found, last = pcall(redis.call, 'XREVRANGE', RQ .. 'results:' .. id, '+', '-', 'COUNT', 1)
    if found and last[1] then entry = last[1][2] end
  end
  return {id, at, values, entry}
end

-- A list: the newest is at its tail. What lies behind the anchor is nearer to the head.
local function from_list()
  local last = redis.call('LLEN', key) - 1 - offset
  if anchor_id ~= '' then
    local at = redis.call('LPOS', key, anchor_id, 'RANK', -1)
    if not at then return {} end -- it was claimed, and with it all that is older
    last = at - 1
  end
  local rows = {}
  while last >= 0 and #rows < limit do
    local ids = redis.call('LRANGE', key, math.max(0, last - limit + 1), last)
    for index = #ids, 1, -1 do
      if #rows < limit then rows[#rows + 1] = row(ids[index], '') end
    end
    last = last - #ids
  end
  return rows
end

local function from_zset()
  local rows, skip = {}, anchor == '' and offset or 0
  local max, passed = anchor == '' and '+inf' or anchor, anchor == ''
  local min = (place == 'finished' or place == 'failed') and score(now()) or '-inf'
  while #rows < limit do
    local part = redis.call('ZREVRANGEBYSCORE', key, max, min, 'WITHSCORES', 'LIMIT', skip, limit)
    for at = 1, #part, 2 do
      local id = place == 'wip' and string.match(part[at], '^(.*):') or part[at]
      if passed or part[at + 1] ~= anchor or id < anchor_id then
        passed = true
        if #rows < limit then rows[#rows + 1] = row(id, part[at + 1]) end
      end
    end
    if #part < limit * 2 then break end
    skip = skip + limit
  end
  return rows
end

return place == 'queue' and from_list() or from_zset()
