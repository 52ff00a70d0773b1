-- The state of one shard: three keys of one slot. Every step on a shard begins with these lines.
--
--   queue   sorted set: generation -> score
--   leased  hash: generation -> score
--   owner   hash: epoch, and the clock: now and drift in ms, inputs, seen; next, the offset behind the
--           last batch; returning, if a fence has not given everything back yet
--
-- A score is the deadline in ms. After a fence it is the deadline minus AT_ONCE: before all others,
-- and due whatever the clock says. A generation's name is the client's bytes; it begins with the delivery,
-- so that what is due at the same time and came together stands together in the queue.

local call = redis.call
local queue, leased, owner = KEYS[1], KEYS[2], KEYS[3]
local AT_ONCE = 4503599627370496
-- Redis' Lua cannot unpack more than some 8,000 values.
local PIECE = 4000
-- How many entries one call moves at most: Redis does nothing else meanwhile, for 5 to 30 us each.
local SLICE = 125

local function each_piece(list, ...)
  local before = { ... }
  local n = #before
  for i = 1, #list, PIECE do
    local last = math.min(i + PIECE - 1, #list)
    for j = i, last do before[n + j - i + 1] = list[j] end
    call(unpack(before, 1, n + last - i + 1))
  end
end

-- each_argument is each_piece of ARGV from the first to the last.
local function each_argument(first, last, command, key)
  for i = first, last, PIECE do call(command, key, unpack(ARGV, i, math.min(i + PIECE - 1, last))) end
end

-- stale returns an error reply unless the epoch is the last one. That it is before the caller's
-- means that Redis has lost data.
local function stale(epoch)
  local last = call('HGET', owner, 'epoch') or '0'
  local ahead = tonumber(last) - tonumber(epoch)
  if ahead > 0 then return redis.error_reply('STALE the shard is at epoch ' .. last) end
  if ahead < 0 then return redis.error_reply('SETBACK the shard is at epoch ' .. last) end
end

-- clock returns now, drift, inputs and seen, as text.
local function clock()
  local state = call('HMGET', owner, 'now', 'drift', 'inputs', 'seen')
  return { state[1] or '0', state[2] or '0', state[3] or '0', state[4] or '0' }
end

-- give_back returns a slice of what earlier owners had leased to the queue, due at once, and tells
-- whether that was all. A fence counts as done once the epoch is set: its owner leases nothing
-- before all is given back, whoever does it.
local function give_back()
  if not call('HGET', owner, 'returning') then return true end
  local held = call('HRANDFIELD', leased, SLICE, 'WITHVALUES')
  local back, names = {}, {}
  for i = 1, #held, 2 do
    local score = tonumber(held[i + 1])
    if score > -AT_ONCE / 2 then score = score - AT_ONCE end
    names[#names + 1] = held[i]
    back[i], back[i + 1] = string.format('%.0f', score), held[i]
  end
  each_piece(back, 'ZADD', queue)
  each_piece(names, 'HDEL', leased)
  if call('HLEN', leased) > 0 then return false end
  call('HDEL', owner, 'returning')
  return true
end
