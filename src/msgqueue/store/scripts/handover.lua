-- handover(now_text)
-- Queues the dependents of jobs that have ended, 100 a call: what a report could not do at once.
-- Answers how many were queued.
-- uses: clock, keeping, admit, dependents
ended_parents = redis.call('ZRANGE', MQ .. 'handover', 0, DEPENDENTS - 1)
visit_ended(ARGV[1])
return dependents_moved
