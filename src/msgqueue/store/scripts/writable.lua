-- writable()
-- Whether Redis takes writes: where it does not, it refuses this one, which changes nothing. Answers 1.
redis.call('EXPIRE', MQ .. 'nothing', 1)
return 1
