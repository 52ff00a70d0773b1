-- The state of one shard: three keys of one slot. Every step on a shard begins with these lines.
--
--   queue   sorted set: generation -> score
--   leased  hash: generation -> score
--   owner   hash: epoch, and the clock: now and drift in ms, inputs, seen; next is the offset behind
--           the last batch
--
-- A score is the deadline in ms. After a fence it is the deadline minus AT_ONCE: before all others,
-- and due whatever the clock says. A generation's name is the client's bytes.

local call = redis.call
local queue, leased, owner = KEYS[1], KEYS[2], KEYS[3]
local AT_ONCE = 4503599627370496
-- Redis' Lua cannot unpack more than some 8,000 values.
local PIECE = 4000

local function each_piece(list, ...)
  local before = { ... }
  local n = #before
  for i = 1, #list, PIECE do
    local last = math.min(i + PIECE - 1, #list)
    for j = i, last do before[n + j - i + 1] = list[j] end
    call(unpack(before, 1, n + last - i + 1))
  end
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

-- arguments returns ARGV from the given place, up to the other if there is one.
local function arguments(first, last)
  local list = {}
  for i = first, last or #ARGV do list[#list + 1] = ARGV[i] end
  return list
end
