-- Fence: makes a new owner; what is leased is due at once.
--
-- KEYS     queue, leased, owner
-- ARGV     the last epoch, or an empty string for any; the least epoch in that case
--
-- Returns epoch, now, drift, inputs, seen, as text.
--
-- allow-oom: without an owner nothing would be flushed, and room never made.

if ARGV[1] ~= '' then
  local refused = stale(ARGV[1])
  if refused then return refused end
end
local epoch = tonumber(call('HGET', owner, 'epoch') or '0') + 1
if ARGV[1] == '' then epoch = math.max(epoch, tonumber(ARGV[2])) end
epoch = string.format('%.0f', epoch)
local held = call('HGETALL', leased)
local back = {}
for i = 1, #held, 2 do
  local score = tonumber(held[i + 1])
  if score > -AT_ONCE / 2 then score = score - AT_ONCE end
  back[i], back[i + 1] = string.format('%.0f', score), held[i]
end
each_piece(back, 'ZADD', queue)
call('DEL', leased)
call('HSET', owner, 'epoch', epoch)
return { epoch, unpack(clock()) }
