-- Give back: goes on with what a fence has begun.
--
-- KEYS     queue, leased, owner
-- ARGV     epoch
--
-- Returns 1 if some are still to be given back, else 0.
--
-- allow-oom: it is part of a fence.

local refused = stale(ARGV[1])
if refused then return refused end
return give_back() and 0 or 1
