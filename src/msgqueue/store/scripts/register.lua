-- register(worker, seq, now_text, field, value, ...)
-- Shows a child as an rq worker and opens its lane. A worker that is registered is left as it is.
-- KEYS[1]  the worker's hash
-- uses: clock, workers
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
enter(KEYS[1], ARGV[2], ARGV[3], {unpack(ARGV, 4)})
return 1
