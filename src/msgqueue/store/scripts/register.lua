-- register(worker, lane, now_text, field, value, ...)
-- Shows a child as an rq worker and opens its lane. A worker that is registered is left as it is,
-- but a lane whose death was declared leaves its name to the next one.
-- KEYS[1]  the worker's hash
-- uses: clock, workers
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows
make_room(KEYS[1])
if redis.call('EXISTS', KEYS[1]) == 1 then
  local former = redis.call('HMGET', KEYS[1], 'mq_lane', 'death')
  if not former[2] or former[1] == ARGV[2] then return 0 end
  redis.call('DEL', KEYS[1])
end
enter(KEYS[1], ARGV[2], 0, ARGV[3], {unpack(ARGV, 4)})
return 1
