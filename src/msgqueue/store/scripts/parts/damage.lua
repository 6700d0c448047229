-- A job that cannot be read or recorded is set aside with its raw bytes, and takes no other with it.

local DAMAGED_TTL = 2592000

-- Whether this is UTF-8 without control characters, as every id is that msgqueue can tell of.
local function is_text(id)
  if string.find(id, '^%w+%-%w+%-%w+%-%w+%-%w+$') then return true end -- a UUID, seen soonest
  if not string.find(id, '[%c\128-\255]') then return true end
  for _, sequence in ipairs({'[\194-\223]', '\224[\160-\191]', '[\225-\236\238\239][\128-\191]', '\237[\128-\159]',
    '\240[\144-\191][\128-\191]', '[\241-\243][\128-\191][\128-\191]', '\244[\128-\143][\128-\191]'}) do
    id = string.gsub(id, sequence .. '[\128-\191]', '')
  end
  return not string.find(id, '[%c\128-\255]')
end

-- An id that is no text is set aside under a name that is, so that people can say it.
local function name_of(id)
  if is_text(id) then return id end
  return (string.gsub(id, '[%c\128-\255]', function(sign) return string.format('\\x%02x', string.byte(sign)) end))
end

local function set_aside(queue, id, execution, reason)
  local name = name_of(id)
  local key, aside = RQ .. 'job:' .. id, MQ .. 'damaged:' .. name
  if redis.call('EXISTS', key) == 1 then
    redis.call('RENAME', key, aside)
    redis.call('EXPIRE', aside, DAMAGED_TTL)
    redis.call('EXPIRE', key .. ':dependents', DAMAGED_TTL)
    redis.call('DEL', RQ .. 'results:' .. id) -- another job may bear its id
    redis.call('ZADD', MQ .. 'damaged', score(now()), name)
    redis.call('SET', aside .. ':reason', tostring(reason), 'EX', DAMAGED_TTL)
  end
  if execution then forget(queue, id, execution, true) end
end
