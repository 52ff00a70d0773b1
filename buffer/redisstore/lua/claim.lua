-- Claim: freezes generations under an owner.
--
-- KEYS     traces, one per generation
-- ARGV[1]  owner: shard (4) | epoch (8)
-- ARGV[k+1]  of KEYS[k]: segment (8) | generation (12)
--
-- Returns for each key: state u8 (0 gone, 1 owned, 2 busy, 3 stale, 4 owned and a small trace) | count
-- u32 | bytes u56. Then those small traces, as they were before.
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

-- claim_small claims a small trace.
local function claim_small(key, value, name)
  local at, n, flying = small_parts(value)
  if sub(value, at, at + 19) ~= name then return '\0' .. none end
  if flying == 0 then
    call('SETRANGE', key, #value - 3, owner .. sub(value, -3, -2) .. '\1')
  else
    local holder = sub(value, -15, -4)
    if sub(holder, 1, 4) ~= sub(owner, 1, 4) then return '\2' .. none end
    if less(sub(owner, 5), sub(holder, 5)) then return '\3' .. none end
    if owner ~= holder then call('SETRANGE', key, #value - 15, owner) end
  end
  return '\4' .. p32(n) .. sub(value, at + SMALL_SIZE, at + SMALL_SIZE + 6)
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

local answers, n = {}, #KEYS
for k = 1, #KEYS do
  local key, name = KEYS[k], ARGV[k + 1]
  local value = small[key]
  if value then
    answers[k] = claim_small(key, value, name)
    if byte(answers[k]) == 4 then
      n = n + 1
      answers[n] = value
    end
  else
    answers[k] = claim(open(key, sub(name, 1, 8)), sub(name, 9))
  end
end
return answers
