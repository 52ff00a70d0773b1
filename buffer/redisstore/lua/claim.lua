-- Claim: freezes generations under an owner.
--
-- KEYS     traces, one per generation
-- ARGV[1]  owner: shard (4) | epoch (8)
-- ARGV[2k], ARGV[2k+1]  of KEYS[k]: segment (8) | generation (12), and an empty text; or of a small trace
--          that the caller has read, and that was live: its end from the number of spans on, and the
--          offset of the owner in it
--
-- Returns for each key: state u8 (0 gone, 1 owned, 2 busy, 3 stale, 4 owned and a small trace) | count
-- u32 | bytes u56; or 4 alone: owned, and as the caller has read it. Then the small traces that it has
-- not, as they were before.
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
  if #value < SMALL_END or byte(value, -1) > 3 then error('what is there is no trace') end -- and not gone
  local at, n, flying = small_parts(value)
  if sub(value, at + SMALL_NAME, at + SMALL_NAME + 19) ~= name then return '\0' .. none end
  local holder = sub(value, at + SMALL_OWNER, at + SMALL_OWNER + 11)
  if flying and sub(holder, 1, 4) ~= sub(owner, 1, 4) then return '\2' .. none end
  if flying and less(sub(owner, 5), sub(holder, 5)) then return '\3' .. none end
  if not flying or holder ~= owner then
    call('SETRANGE', key, at - 1 + SMALL_OWNER, owner .. '\3')
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

local answers, rest = {}, {}
local taken = owner .. '\3'
for k = 1, #KEYS do
  local key, seen, offset = KEYS[k], ARGV[2 * k], ARGV[2 * k + 1]
  if offset == '' then
    rest[#rest + 1] = key
  elseif redis.pcall('GETRANGE', key, '-35', '-1') == seen then -- an error if it is a hash meanwhile
    call('SETRANGE', key, offset, taken)
    answers[k] = '\4'
  else
    rest[#rest + 1] = key
  end
end
if #rest == 0 then return answers end
local small, n = small_traces(rest), #KEYS
for k = 1, #KEYS do
  if not answers[k] then
    local key, name = KEYS[k], ARGV[2 * k]
    if ARGV[2 * k + 1] ~= '' then name = sub(name, 3, 22) end
    local value = small[key]
    answers[k] = value and claim_small(key, value, name)
      or claim(open(key, sub(name, 1, 8)), sub(name, 9))
    if byte(answers[k]) == 4 then
      n = n + 1
      answers[n] = value
    end
  end
end
return answers
