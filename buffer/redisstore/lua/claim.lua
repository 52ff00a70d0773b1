-- Claim: freezes generations under an owner.
--
-- KEYS     traces, one per generation
-- ARGV[1]  owner: shard (4) | epoch (8)
-- ARGV[k+1]  of KEYS[k]: segment (8) | generation (12)
--
-- Returns for each key: state u8 (0 gone, 1 owned, 2 busy, 3 stale) | count u32 | bytes u56
--
-- allow-oom: what is flushed makes room. The record grows by 4 bytes.

local owner = ARGV[1]
local none = p32_56(0, 0)

local function freeze(t, generation)
  local record = t.record
  local last = 35 + 6 * u24(record, 33)
  replace(t, char(byte(record, 1) - 2) .. sub(record, last + 1)
    .. generation .. owner .. sub(record, 22, last))
  if t.from then call('HSET', t.key, '0', t.s) end
  return '\1' .. sub(record, 22, 32)
end

local function claim(t, generation)
  if not t then return '\0' .. none end
  local record = t.record
  if byte(record, 1) >= 2 and sub(record, 2, 13) == generation then return freeze(t, generation) end
  local at = in_flight(record, generation)
  if not at then return '\0' .. none end
  local holder = sub(record, at + 12, at + 23)
  if sub(holder, 1, 4) ~= sub(owner, 1, 4) then return '\2' .. none end
  if less(sub(owner, 5), sub(holder, 5)) then return '\3' .. none end
  if holder ~= owner then
    replace(t, sub(record, 1, at + 11) .. owner .. sub(record, at + 24))
    if t.from then call('HSET', t.key, '0', t.s) end
  end
  return '\1' .. sub(record, at + 24, at + 34)
end

local answers = {}
for k = 1, #KEYS do
  local name = ARGV[k + 1]
  answers[k] = claim(open(KEYS[k], sub(name, 1, 8)), sub(name, 9))
end
return answers
