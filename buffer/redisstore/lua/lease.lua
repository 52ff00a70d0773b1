-- Lease: hands out what is due, oldest deadline first.
--
-- KEYS     queue, leased, owner
-- ARGV     epoch, now, limit, how many entries of the queue were passed over by the calls before
--          this one
--
-- Returns now, drift, inputs, seen, then how many entries were passed over, or an empty string if
-- there is nothing more to be had, then how many are leased now, then generation, score, ... , all as
-- text.
--
-- allow-oom: what is flushed makes room.

local refused = stale(ARGV[1])
if refused then return refused end
local answer = clock()
if not give_back() then
  answer[5], answer[6] = '0', '0'
  return answer
end
local limit, passed = math.min(tonumber(ARGV[3]), SLICE), tonumber(ARGV[4])
local moved, names, n = {}, {}, 0
local at, due = passed, call('ZCOUNT', queue, '-inf', ARGV[2])
local last = math.min(due, at + 2 * SLICE)
while n < limit and at < last do
  local page = call('ZRANGE', queue, at, math.min(last, at + limit - n) - 1, 'WITHSCORES')
  local queued = {}
  for i = 1, #page, 2 do queued[#queued + 1] = page[i] end
  -- What is leased already waits for its release: it was queued again by a later write.
  local busy = call('HMGET', leased, unpack(queued))
  for i = 1, #queued do
    if not busy[i] then
      n = n + 1
      names[n] = queued[i]
      moved[2 * n - 1], moved[2 * n] = queued[i], page[2 * i]
    end
  end
  at = at + #queued
end
if tonumber(answer[3]) > 0 and tonumber(answer[1]) < tonumber(ARGV[2]) then
  answer[1] = ARGV[2]
  call('HSET', owner, 'now', ARGV[2])
end
each_piece(names, 'ZREM', queue)
each_piece(moved, 'HSET', leased)
-- What was moved is no longer before the others.
answer[5] = at < due and tostring(at - n) or ''
answer[6] = tostring(call('HLEN', leased))
for i = 1, #moved do answer[6 + i] = moved[i] end
return answer
