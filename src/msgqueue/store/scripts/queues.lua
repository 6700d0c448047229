-- queues()
-- The names of all queues that were ever used.
-- Answers {key...}.
return redis.call('SMEMBERS', RQ .. 'queues')
