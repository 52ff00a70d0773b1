-- Small traces, which are strings.

-- What begins where in a small trace, from the place of its segment.
local SMALL_FIRST, SMALL_SIZE, SMALL_IDS = 20, 28, 35
-- The blob of a small trace, once it has become a hash: that of call 1, index 0.
local SMALL_BLOB = '\1\0\0\0\0\0'

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
