-- counts(queue...)
-- How many jobs are in each place of each queue; what has expired is not counted.
-- Answers a queue {queued, started, scheduled, deferred, finished, failed, canceled}.
-- uses: clock
local answer, from = {}, score(now())
for index, queue in ipairs(ARGV) do
  answer[index] = {
    redis.call('LLEN', RQ .. 'queue:' .. queue), redis.call('ZCARD', RQ .. 'wip:' .. queue),
    redis.call('ZCARD', RQ .. 'scheduled:' .. queue), redis.call('ZCARD', RQ .. 'deferred:' .. queue),
    redis.call('ZCOUNT', RQ .. 'finished:' .. queue, from, '+inf'),
    redis.call('ZCOUNT', RQ .. 'failed:' .. queue, from, '+inf'), redis.call('ZCARD', RQ .. 'canceled:' .. queue),
  }
end
return answer
