-- Release: drops generations from what is leased; some return to the queue.
--
-- KEYS     queue, leased, owner
-- ARGV     epoch, n, n generations, then (score, generation) of those that return ...
--
-- allow-oom: what is not released would be flushed for nothing by the next owner.

local refused = stale(ARGV[1])
if refused then return refused end
local last = 2 + tonumber(ARGV[2])
each_argument(3, last, 'HDEL', leased)
local back, names = {}, {}
for i = last + 1, #ARGV do back[#back + 1] = ARGV[i] end
for i = 2, #back, 2 do names[#names + 1] = back[i] end
each_piece(names, 'HDEL', leased)
each_piece(back, 'ZADD', queue, 'NX')
return 1
