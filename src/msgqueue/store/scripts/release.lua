-- release(now_text, {queue, id, execution}...)
-- Claimed jobs that surely did not begin go back to the front of their queues; nothing is counted.
-- Answers how many.
-- uses: clock, wip, front, endings
redis.call('EXPIRE', MQ .. 'none', 1) -- first, so that full memory refuses none of what follows
local entries = {}
for at = 2, #ARGV, 3 do entries[#entries + 1] = {ARGV[at], ARGV[at + 1], ARGV[at + 2]} end
local given = give_back(entries, ARGV[1])
flush()
return given
