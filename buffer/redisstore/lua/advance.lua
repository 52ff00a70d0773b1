-- Advance: moves next forward to an offset that the group has committed. No clock and no queue depends on
-- it: the next batch overwrites it.
--
-- KEYS     queue, leased, owner
-- ARGV     the offset
--
-- allow-oom: it is a few bytes, and a Redis that came back full has lost something all the same.

if tonumber(call('HGET', owner, 'next') or '0') < tonumber(ARGV[1]) then
  call('HSET', owner, 'next', ARGV[1])
end
return 1
