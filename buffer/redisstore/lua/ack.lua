-- Ack: deletes generations that an owner has claimed.
--
-- KEYS     traces, one per generation
-- ARGV[1]  owner: shard (4) | epoch (8)
-- ARGV[2]  'whole' if all spans are named; for a generation of many spans, which is alone, 'part', and
--          in the last call 'last'
-- ARGV[k+2]  of KEYS[k]: segment (8) | generation (12) | ids of its spans (8 each); or of one that was a
--          small trace when it was claimed, segment (8) | generation (12) | owner | 3
--
-- Returns for each key a byte: 0 gone, 1 done, 2 stale, 3 this part is done, 4 done but for what
-- sweep.lua is to delete, 5 nothing is done, since it is not that small trace any more
--
-- allow-oom: it only makes room.

local owner, extent = ARGV[1], ARGV[2]
-- How long the argument of a small trace is, which no other has.
local SMALL_CLAIMED = 33
-- The traces that go as a whole, all together at the end: a list, and a set.
local leaving, left = {}, {}

-- forget takes the groups of these blobs away.
local function forget(t, gone)
  local s, p = t.s, t.groups
  local kept = { sub(s, 1, p - 1) }
  while p <= #s do
    local low, high = byte(s, p + 14, p + 15)
    local next = p + 16 + 8 * (low + 256 * high)
    if not gone[sub(s, p + 8, p + 13)] then kept[#kept + 1] = sub(s, p, next - 1) end
    p = next
  end
  t.s = concat(kept)
end

-- forget_spans takes these spans out of the groups of a generation whose newest blob is of that call.
local function forget_spans(t, flushed, newest)
  local ids = {}
  for i = 21, #flushed, 8 do ids[sub(flushed, i, i + 7)] = true end
  local s, p = t.s, t.groups
  local parts = { sub(s, 1, p - 1) }
  while p <= #s do
    local low, high = byte(s, p + 14, p + 15)
    local next = p + 16 + 8 * (low + 256 * high)
    local kept = {}
    for i = p + 16, next - 1, 8 do
      local id = sub(s, i, i + 7)
      if not ids[id] or u32(s, p + 8) > newest then kept[#kept + 1] = id end
    end
    local n = #kept
    if n > 0 then
      parts[#parts + 1] = sub(s, p, p + 13) .. char(n % 256, floor(n / 256)) .. concat(kept)
    end
    p = next
  end
  t.s = concat(parts)
end

-- redirects returns the fields of spans that are redirects of the generation whose newest blob is of
-- that call. A span of which only the redirect was deleted, by an owner that died between two parts,
-- may have come again since, and is another generation's now.
local function redirects(t, flushed, newest)
  local ids = {}
  for i = 21, #flushed, 8 do ids[#ids + 1] = sub(flushed, i, i + 7) end
  if extent == 'whole' or #ids == 0 then return ids end
  local mine = {}
  for i, value in ipairs(call('HMGET', t.key, unpack(ids))) do
    if value and u32(value, 9) <= newest then mine[#mine + 1] = ids[i] end
  end
  return mine
end

-- ack_small acknowledges a small trace.
local function ack_small(key, value, flushed)
  local at, _, flying = small_parts(value)
  at = at + SMALL_NAME
  if not flying or left[key] or sub(value, at, at + 19) ~= sub(flushed, 1, 20) then return '\0' end
  if sub(value, at + 20, at + 31) ~= owner then return '\2' end
  leaving[#leaving + 1], left[key] = key, true
  return '\1'
end

local function ack(t, flushed)
  if not t or left[t.key] then return '\0' end
  local record = t.record
  local at, length = in_flight(record, sub(flushed, 9, 20))
  if not at then return '\0' end
  if sub(record, at + 12, at + 23) ~= owner then return '\2' end
  local generations = u24(t.s, 5)
  if generations == 1 then
    leaving[#leaving + 1], left[t.key] = t.key, true
    return '\1'
  end
  local fields, newest = {}, u32(record, at + length - 6)
  if t.spilled % 2 == 1 then fields = redirects(t, flushed, newest) end
  if extent == 'part' then
    if t.groups <= #t.s then
      forget_spans(t, flushed, newest)
      call('HSET', t.key, '0', t.s)
    end
    each_piece('HDEL', t.key, fields)
    return '\3'
  end
  local gone, lists = {}, {}
  for i = at + 38, at + length - 1, 6 do
    local entry = sub(record, i, i + 5)
    if is_list(record, i + 5) then
      lists[#lists + 1] = entry
    else
      fields[#fields + 1], fields[#fields + 2], gone[entry] = 'b' .. entry, 'c' .. entry, true
    end
  end
  record = sub(record, 1, at - 1) .. sub(record, at + length)
  replace(t, #record > 1 and record or nil)
  if extent == 'whole' and #lists == 0 then
    forget(t, gone)
  else
    forget_spans(t, flushed, newest)
  end
  t.s = sub(t.s, 1, 4) .. p24(generations - 1) .. sub(t.s, 8)
  call('HSET', t.key, '0', t.s)
  each_piece('HDEL', t.key, fields)
  if #lists == 0 then return '\1' end
  call('HSET', t.key, 'g', (call('HGET', t.key, 'g') or '') .. concat(lists))
  return '\4'
end

local answers, rest = {}, {}
for k = 1, #KEYS do
  local key, flushed = KEYS[k], ARGV[k + 2]
  if #flushed ~= SMALL_CLAIMED then
    rest[#rest + 1] = key
  elseif left[key] or redis.pcall('GETRANGE', key, '-33', '-1') ~= flushed then -- an error if it is a hash
    answers[k] = '\5'
  else
    leaving[#leaving + 1], left[key] = key, true
    answers[k] = '\1'
  end
end
if #rest > 0 then
  local small = small_traces(rest)
  for k = 1, #KEYS do
    if not answers[k] then
      local key, flushed = KEYS[k], ARGV[k + 2]
      local value = small[key]
      answers[k] = value and ack_small(key, value, flushed)
        or ack(open(key, sub(flushed, 1, 8)), flushed)
    end
  end
end
for i = 1, #leaving, PIECE do
  call('UNLINK', unpack(leaving, i, min(i + PIECE - 1, #leaving)))
end
return concat(answers)
