-- Beat: counts a beat of a witness.
--
-- KEYS     marker: a hash, witness -> "beats seconds", when it was last heard of
-- ARGV     witness, seconds now, seconds after which a witness that is silent is forgotten
--
-- Returns its beats, and what names this start of this server: '' where nobody can tell.
--
-- allow-oom: it takes next to nothing.

local call = redis.call
local last = call('HGET', KEYS[1], ARGV[1])
local beats = (last and tonumber(string.match(last, '^%d+')) or 0) + 1
call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', beats, ARGV[2]))
if beats == 1 then
  local all = call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local heard = tonumber(string.match(all[i + 1], '%d+$'))
    if heard + tonumber(ARGV[3]) < tonumber(ARGV[2]) then call('HDEL', KEYS[1], all[i]) end
  end
end
local info = redis.pcall('INFO', 'server')
return {beats, type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''}
