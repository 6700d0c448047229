-- Redis's own time, the only clock that leases and due times know.

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function score(seconds)
  return string.format('%.6f', seconds)
end
