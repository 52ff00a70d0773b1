-- Lease: hands out what is due, oldest deadline first.
--
-- KEYS     queue, leased, owner
-- ARGV     epoch, now, limit
--
-- Returns now, drift, inputs, seen, how many are leased then, then generation, score, ... , all as
-- text.
--
-- allow-oom: what is flushed makes room.

local refused = stale(ARGV[1])
if refused then return refused end
local limit = tonumber(ARGV[3])
local moved, names, n, offset = {}, {}, 0, 0
while n < limit do
  local page = call('ZRANGEBYSCORE', queue, '-inf', ARGV[2], 'WITHSCORES',
    'LIMIT', offset, math.min(limit, PIECE))
  if #page == 0 then break end
  local queued = {}
  for i = 1, #page, 2 do queued[#queued + 1] = page[i] end
  -- What is leased already waits for its release: it was queued again by a later write.
  local busy = call('HMGET', leased, unpack(queued))
  for i = 1, #queued do
    if not busy[i] and n < limit then
      n = n + 1
      names[n] = queued[i]
      moved[2 * n - 1], moved[2 * n] = queued[i], page[2 * i]
    end
  end
  offset = offset + #queued
end
local answer = clock()
if tonumber(answer[3]) > 0 and tonumber(answer[1]) < tonumber(ARGV[2]) then
  answer[1] = ARGV[2]
  call('HSET', owner, 'now', ARGV[2])
end
each_piece(names, 'ZREM', queue)
each_piece(moved, 'HSET', leased)
answer[5] = tostring(call('HLEN', leased))
for i = 1, #moved do answer[5 + i] = moved[i] end
return answer
