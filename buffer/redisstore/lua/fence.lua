-- Fence: makes a new owner; what is leased is due at once.
--
-- KEYS     queue, leased, owner
-- ARGV     the last epoch, or an empty string for any; the least epoch in that case
--
-- Returns epoch, now, drift, inputs, seen, as text, and 1 if some are still to be given back, which
-- give_back.lua does.
--
-- allow-oom: without an owner nothing would be flushed, and room never made.

if ARGV[1] ~= '' then
  local refused = stale(ARGV[1])
  if refused then return refused end
end
local epoch = tonumber(call('HGET', owner, 'epoch') or '0') + 1
if ARGV[1] == '' then epoch = math.max(epoch, tonumber(ARGV[2])) end
epoch = string.format('%.0f', epoch)
call('HSET', owner, 'epoch', epoch, 'returning', '1')
local answer = { epoch, unpack(clock()) }
answer[6] = give_back() and 0 or 1
return answer
