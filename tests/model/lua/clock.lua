-- In the place of parts/clock.lua: the time comes with the call, as its last argument.
-- A key that is to expire gets its deadline as an absolute moment of this clock, which is far ahead
-- of the server's own; it goes when advance.lua has passed it.

local redis = (function(real)
  local time = tonumber(table.remove(ARGV))

  local function whole(text)
    local number = tonumber(text)
    return number and number == math.floor(number) and number
  end

  local function virtual(run)
    local function expire(key, ttl)
      if ttl <= 0 then return run('DEL', key) end
      return run('PEXPIREAT', key, string.format('%.0f', time + ttl))
    end
    return function(command, key, ...)
      local a = {...}
      if command == 'TIME' then
        return {string.format('%.0f', math.floor(time / 1000)), string.format('%.0f', time % 1000 * 1000)}
      elseif command == 'EXPIRE' and whole(a[1]) then
        return expire(key, whole(a[1]) * 1000)
      elseif command == 'PEXPIRE' and whole(a[1]) then
        return expire(key, whole(a[1]))
      elseif command == 'SET' and a[2] == 'EX' then
        return run('SET', key, a[1], 'PXAT', string.format('%.0f', time + a[3] * 1000), unpack(a, 4))
      elseif command == 'RESTORE' and tonumber(a[1]) > 0 then
        return run('RESTORE', key, string.format('%.0f', time + a[1]), a[2], a[3], 'ABSTTL')
      elseif command == 'PTTL' then
        local deadline = run('PEXPIRETIME', key)
        return deadline > 0 and deadline - time or deadline
      end
      return run(command, key, ...)
    end
  end
  return {call = virtual(real.call), pcall = virtual(real.pcall)}
end)(redis)

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function score(seconds)
  return string.format('%.6f', seconds)
end
