-- Enqueue: sets deadlines, drops merged generations, advances the clock. If more of the same batch
-- follows, the clock is only set back: the deadlines are of one that may be hours behind that of the
-- shard, as with the first batch of a backlog, and all that is queued would be due by it.
--
-- KEYS     queue, leased, owner
-- ARGV     now, drift, next (0: unknown; empty: more of the same batch follows), seen, n, n times
--          (score, generation), merged generations ...
--          or the wall-clock time of a tick, and how far ahead of it seen may be
--
-- allow-oom: it follows an attach that found room, and spans that no queue names would wait for
-- their redelivery.

if #ARGV == 2 then
  local ahead = tonumber(call('HGET', owner, 'seen') or '0') - tonumber(ARGV[1])
  if ahead < 0 or ahead > tonumber(ARGV[2]) then
    call('HSET', owner, 'seen', ARGV[1])
  end
  return 1
end
local last = 5 + 2 * tonumber(ARGV[5])
each_argument(6, last, 'ZADD', queue)
each_argument(last + 1, #ARGV, 'ZREM', queue)
local more = ARGV[3] == ''
local known = call('HMGET', owner, 'drift', 'seen')
if more and known[1] and tonumber(known[1]) <= tonumber(ARGV[2]) then return 1 end
local seen = tonumber(known[2] or '0')
if seen < tonumber(ARGV[4]) and not (more and seen > 0) then
  call('HSET', owner, 'now', ARGV[1], 'drift', ARGV[2], 'seen', ARGV[4])
else
  call('HSET', owner, 'now', ARGV[1], 'drift', ARGV[2])
end
if more then return 1 end
if ARGV[3] ~= '0' then call('HSET', owner, 'next', ARGV[3]) end
call('HINCRBY', owner, 'inputs', 1)
return 1
