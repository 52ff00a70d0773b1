-- Ack: deletes generations that an owner has claimed.
--
-- KEYS     traces, one per generation
-- ARGV[1]  owner: shard (4) | epoch (8)
-- ARGV[k+1]  of KEYS[k]: segment (8) | generation (12) | ids of its spans (8 each)
--
-- Returns for each key a byte: 0 gone, 1 done, 2 stale
--
-- allow-oom: it only makes room.

local owner = ARGV[1]

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

local function ack(t, flushed)
  if not t then return '\0' end
  local record = t.record
  local at, length = in_flight(record, sub(flushed, 9, 20))
  if not at then return '\0' end
  if sub(record, at + 12, at + 23) ~= owner then return '\2' end
  local generations = u24(t.s, 5)
  if generations == 1 then
    call('UNLINK', t.key)
    return '\1'
  end
  local fields, gone = {}, {}
  for i = at + 38, at + length - 1, 6 do
    local blob = sub(record, i, i + 5)
    fields[#fields + 1], fields[#fields + 2], gone[blob] = 'b' .. blob, 'c' .. blob, true
  end
  if t.spilled % 2 == 1 then
    for i = 21, #flushed, 8 do fields[#fields + 1] = sub(flushed, i, i + 7) end
  end
  record = sub(record, 1, at - 1) .. sub(record, at + length)
  replace(t, #record > 1 and record or nil)
  forget(t, gone)
  t.s = sub(t.s, 1, 4) .. p24(generations - 1) .. sub(t.s, 8)
  call('HSET', t.key, '0', t.s)
  each_piece('HDEL', t.key, fields)
  return '\1'
end

local answers = {}
for k = 1, #KEYS do
  local flushed = ARGV[k + 1]
  answers[k] = ack(open(KEYS[k], sub(flushed, 1, 8)), flushed)
end
return concat(answers)
