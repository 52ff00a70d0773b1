-- Sweep: deletes some of what field 'g' of a trace names: blobs, and lists with all that they lead to.
-- Whatever is left when the trace goes, goes with it.
--
-- KEYS     the trace
--
-- Returns 1 if there is more, else 0.
--
-- allow-oom: it only makes room.

local SWEEP_MAX = 500 -- blobs and lists

if small_traces(KEYS)[KEYS[1]] then return 0 end -- the one of which something was left is gone
local todo = call('HGET', KEYS[1], 'g')
if not todo then return 0 end
local fields, n = {}, 0
while #todo > 0 and n < SWEEP_MAX do
  local entry = sub(todo, -6)
  todo = sub(todo, 1, -7)
  n = n + 1
  if is_list(entry, 6) then
    todo = todo .. (call('HGET', KEYS[1], 'l' .. entry) or '')
    fields[#fields + 1] = 'l' .. entry
  else
    fields[#fields + 1], fields[#fields + 2] = 'b' .. entry, 'c' .. entry
  end
end
each_piece('HDEL', KEYS[1], fields)
if #todo > 0 then
  call('HSET', KEYS[1], 'g', todo)
  return 1
end
call('HDEL', KEYS[1], 'g')
return 0
