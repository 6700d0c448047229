-- unregister(now_text)
-- A child that ended in order: its lane is closed and rq lists it no longer.
-- KEYS[1]  the worker's hash
-- uses: clock, workers
redis.call('EXPIRE', KEYS[1], 60) -- first, so that full memory refuses none of what follows
leave(KEYS[1], ARGV[1])
return 1
