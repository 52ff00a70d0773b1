-- Small traces, which are strings.

-- What begins where in the end of a small trace, and how long that is.
local SMALL_SIZE, SMALL_NAME, SMALL_OWNER, SMALL_END = 8, 17, 37, 50
-- Spans and bytes of frames that a small trace has at most.
local SMALL_SPANS_MAX, SMALL_MAX = 64, 1600
-- The owner of what nobody has claimed.
local NOBODY = string.rep('\0', 12)

-- modern lays out a small trace as it is now, if it was stored by a version of 28 November 2026:
--
--   m frames | segment | generation | first | bytes | n span ids | owner, if in flight | n | 1 if in flight
local function modern(key, value)
  local low, high, flying = byte(value, -3, -1)
  if flying > 1 then return value end
  local ids = 8 * (low + 256 * high)
  local at = #value - 37 - 12 * flying - ids
  if at < 1 then error('what is there is no trace') end -- before it is overwritten: a later version may read it
  value = sub(value, 1, at - 1) .. sub(value, at + 35, at + 34 + ids) .. sub(value, at + 20, at + 34)
    .. char(low, high) .. sub(value, at, at + 19) .. (flying == 1 and sub(value, -15, -4) or NOBODY)
    .. char(2 + flying)
  call('SET', key, value)
  return value
end

-- small_traces returns the values of those keys that are small traces, by key.
local function small_traces(keys)
  local small = {}
  for i = 1, #keys, PIECE do
    local values = call('MGET', unpack(keys, i, min(i + PIECE - 1, #keys)))
    for k = 1, #values do
      local key = keys[i + k - 1]
      if values[k] then small[key] = modern(key, values[k]) end
    end
  end
  return small
end

-- small_parts returns where the end begins, how many spans there are, and whether they are in flight.
local function small_parts(value)
  local at = #value - SMALL_END + 1
  local low, high = byte(value, at + SMALL_NAME - 2, at + SMALL_NAME - 1)
  return at, low + 256 * high, byte(value, -1) == 3
end
