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
local OLD_NAME, LIST_MAX = 44, 8
local limit, passed = math.min(tonumber(ARGV[3]), SLICE), tonumber(ARGV[4])

-- page returns part of the queue, and the scores. Deadlines are of whole seconds, so many are due at the
-- same time, and to write a score as text takes as long as to take an entry out.
local function page(first, final)
  local names, scores = call('ZRANGE', queue, first, final), {}
  local same = call('ZSCORE', queue, names[1])
  if #names > 1 and call('ZSCORE', queue, names[#names]) ~= same then
    local both = call('ZRANGE', queue, first, final, 'WITHSCORES')
    for i = 1, #names do scores[i] = both[2 * i] end
  else
    for i = 1, #names do scores[i] = same end
  end
  return names, scores
end

-- renamed returns the name that is used now for one of a version before 29 November 2026, which began
-- with the project: eight bytes, the first of them 128 if it is not larger or smaller than usual. It
-- returns nil if a later write has queued that one, too.
local function renamed(name)
  local project = string.byte(name) == 128 and string.sub(name, 2, 8) or string.sub(name, 1, 8) .. '\0'
  name = string.sub(name, 33) .. string.sub(name, 9, 32) .. project
  if call('ZSCORE', queue, name) or call('HEXISTS', leased, name) == 1 then return nil end
  return name
end

local moved, names, n = {}, {}, 0
local at, due = passed, call('ZCOUNT', queue, '-inf', ARGV[2])
local last = math.min(due, at + 2 * SLICE)
while n < limit and at < last do
  local queued, scores = page(at, math.min(last, at + limit - n) - 1)
  -- What is leased already waits for its release: it was queued again by a later write.
  local busy = call('HMGET', leased, unpack(queued))
  for i = 1, #queued do
    if not busy[i] then
      local name = queued[i]
      names[#names + 1] = name
      if #name == OLD_NAME then name = renamed(name) end
      if name then
        n = n + 1
        moved[2 * n - 1], moved[2 * n] = name, scores[i]
      end
    end
  end
  at = at + #queued
end
if tonumber(answer[3]) > 0 and tonumber(answer[1]) < tonumber(ARGV[2]) then
  answer[1] = ARGV[2]
  call('HSET', owner, 'now', ARGV[2])
end
if #names == at - passed and at > passed then
  call('ZREMRANGEBYRANK', queue, passed, at - 1)
else
  each_piece(names, 'ZREM', queue)
end
-- Redis keeps a small hash as a list, and looks through all of it for each entry, which took half of a
-- Lease and of the Release that follows. A value of more than 64 bytes makes it a table.
local first = moved[2]
if n > LIST_MAX then moved[2] = string.gsub(first, '%d', string.rep('0', 65) .. '%0', 1) end
each_piece(moved, 'HSET', leased)
moved[2] = first
-- What was moved is no longer before the others.
answer[5] = at < due and tostring(at - #names) or ''
answer[6] = tostring(call('HLEN', leased))
for i = 1, #moved do answer[6 + i] = moved[i] end
return answer
