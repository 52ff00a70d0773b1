-- Beat: counts a beat of a witness.
--
-- KEYS     marker: a hash, witness -> "beats seconds", when it was last heard of; or "beats doubter 0"
-- ARGV     witness, seconds now, seconds after which a witness that is silent is in doubt, beats of
--          who doubts it after which it is forgotten, seconds for which a witness that was heard of is
--          there, beats from one that counts those to the next
--
-- Returns its beats, what names this start of this server ('' where nobody can tell), and how many
-- witnesses are there; 0 if this beat did not count them.
--
-- allow-oom: it takes next to nothing.

local call = redis.call
local last = call('HGET', KEYS[1], ARGV[1])
local beats = (last and tonumber(string.match(last, '^%d+')) or 0) + 1
call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', beats, ARGV[2]))
-- By the clocks of two hosts one may seem silent that is not. So the first beat only doubts it, a
-- beat of its own ends the doubt, and it is forgotten if none came until the doubter has beat for long.
local there = 0
if beats % tonumber(ARGV[6]) == 1 or beats == tonumber(ARGV[4]) then
  local all = call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local counted, heard = string.match(all[i + 1], '^(%d+).- (%d+)$')
    if tonumber(heard) + tonumber(ARGV[5]) >= tonumber(ARGV[2]) then
      there = there + 1
    elseif beats == tonumber(ARGV[4]) and string.match(all[i + 1], ' (%x+) 0$') == ARGV[1] then
      call('HDEL', KEYS[1], all[i])
    elseif beats == 1 and tonumber(heard) + tonumber(ARGV[3]) < tonumber(ARGV[2]) then
      call('HSET', KEYS[1], all[i], counted .. ' ' .. ARGV[1] .. ' 0')
    end
  end
end
local info = redis.pcall('INFO', 'server')
return {beats, type(info) == 'string' and string.match(info, 'run_id:(%w+)') or '', there}
