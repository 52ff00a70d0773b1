-- Small traces, which are strings.

-- What begins where in a small trace, from the place of its segment.
local SMALL_FIRST, SMALL_SIZE, SMALL_IDS = 20, 28, 35
-- Spans and bytes of frames that a small trace has at most.
local SMALL_SPANS_MAX, SMALL_MAX = 64, 1600

-- small_traces returns the values of those keys that are small traces, by key.
local function small_traces(keys)
  local small = {}
  for i = 1, #keys, PIECE do
    local values = call('MGET', unpack(keys, i, min(i + PIECE - 1, #keys)))
    for k = 1, #values do
      if values[k] then small[keys[i + k - 1]] = values[k] end
    end
  end
  return small
end

-- small_parts returns where the segment stands, how many spans there are, and whether it is in flight: 0
-- or 1.
local function small_parts(value)
  local low, high, flying = byte(value, -3, -1)
  local n = low + 256 * high
  return #value - 2 - 12 * flying - 8 * n - SMALL_IDS, n, flying
end
