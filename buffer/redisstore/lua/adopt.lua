-- Adopt: queues what neither the queue nor what is leased names.
--
-- KEYS     queue, leased, owner
-- ARGV     wall, after, generations ...
--
-- Returns for each generation a byte: 1 if it was queued.
--
-- allow-oom: what is queued is flushed, which makes room.

local state = clock()
local now = tonumber(state[3]) > 0 and tonumber(state[1]) or tonumber(ARGV[1])
local score = string.format('%.0f', now + tonumber(ARGV[2]))
local answers = {}
for i = 3, #ARGV do
  local named = call('ZSCORE', queue, ARGV[i]) or call('HEXISTS', leased, ARGV[i]) == 1
  if not named then call('ZADD', queue, score, ARGV[i]) end
  answers[#answers + 1] = named and '\0' or '\1'
end
return table.concat(answers)
