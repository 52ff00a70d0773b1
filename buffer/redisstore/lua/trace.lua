-- The state of one trace: how it is laid out in its hash, read and written. Every step on a trace
-- begins with these lines.
--
-- Field '0' is the trace itself, in one string, so that a step on a usual trace reads one field
-- and writes one:
--
--   calls u32 | generations u24 | spilled u8 | length of segments u24 | segments | groups
--
--   calls        counts the attaches that stored something; it names blobs and orders spans
--   generations  live and in flight, of all segments; with the last one the whole key goes
--   spilled      1: redirects, 2: segments have outgrown this field, see below
--   segment      id (8) | length u24 | record
--   record       flags u8 (1: has root, 2: has a live generation) | live | in flight ...
--   live         generation (12) | first (8) | count u32 | bytes u56 | n u24 | n entries
--   in flight    generation (12) | shard (4) | epoch (8) | count u32 | bytes u56 | n u24 | n entries
--   entry        a blob, or a list of entries that is in a field of its own; the last is the newest blob
--   blob         call u32 | index u16, the index within its call, below 32768
--   list         call u32 | index u16: 32768 + 4096 * (level - 1) + a number within its call; a list
--                of level 1 has blobs, one of level 2 lists of level 1, and so on
--   group        target segment (8) | blob (6) | n u16 | n span ids: the redirects of these spans
--
-- A field named by the 8 bytes of a span id is a redirect that is in no group, target (8) | blob
-- (6): in a trace of many spans, or of a span that was cut off; the latter has its holder (8) at
-- the end. A field 's' + id is a segment record of a trace of many segments. A field 'b' + blob is
-- a blob, or its first part; then 'c' + blob is the rest. A field 'l' + list has its entries. Field 'g'
-- has entries that sweep.lua is to delete, with all that they lead to.
--
-- A trace of one small segment is no hash yet, but a string, which is stored and read without most of
-- this, and takes a third less memory:
--
--   m frames | n span ids | first (8) | bytes u56 | n u16 | segment (8) | generation (12) | owner (12) | state u8
--
-- where state is 2 if it is live, and 3 if it is in flight under owner, shard (4) | epoch (8). It has a
-- root, and a frame for each attach. It becomes a hash when something is attached that is not so simple.
-- Its end is compared as a whole, and written in place, so that who claims or acknowledges it need not
-- read the rest.
--
-- Numbers are little endian. Generation, shard, epoch and first are the client's bytes, compared
-- but not understood here; epoch and first are big endian, so that they compare bytewise.
--
-- What costs time here is making strings: Lua hashes every byte of every new one, some 2 ns
-- a byte, a table costs 100 ns, a call of Redis 300. Hence one field, and no parsing ahead.

local byte, char, sub, find = string.byte, string.char, string.sub, string.find
local floor, min, concat, call = math.floor, math.min, table.concat, redis.call

-- Bytes of groups and of segment records in field '0': beyond, searching and rewriting them costs
-- more than fields of their own.
local GROUPS_MAX, SEGMENTS_MAX = 2048, 4096
-- Entries of a generation in its record: beyond, some go into a list.
local ENTRIES_MAX = 64
-- Redirects that may follow one another, see buffer.WayMax. What is left in groups is shorter.
local WAY_MAX = 100
-- Redis' Lua cannot unpack more than some 8,000 values.
local PIECE = 4000
-- Where the segments begin in field '0'.
local HEAD = 12

local function u24(s, i)
  local a, b, c = byte(s, i, i + 2)
  return a + b * 256 + c * 65536
end

local function u32(s, i)
  local a, b, c, d = byte(s, i, i + 3)
  return a + b * 256 + c * 65536 + d * 16777216
end

local function u56(s, i)
  local a, b, c, d, e, f, g = byte(s, i, i + 6)
  return a + b * 256 + c * 65536 + d * 16777216 + (e + f * 256 + g * 65536) * 4294967296
end

-- These divide what is left by 256, again and again: to call floor takes longer.

local function p24(n)
  local a = n % 256
  n = (n - a) / 256
  local b = n % 256
  return char(a, b, (n - b) / 256)
end

local function p32(n)
  local a = n % 256
  n = (n - a) / 256
  local b = n % 256
  n = (n - b) / 256
  local c = n % 256
  return char(a, b, c, (n - c) / 256)
end

-- p32_56 is p32(n) .. p56(m).
local function p32_56(n, m)
  local a = n % 256
  n = (n - a) / 256
  local b = n % 256
  n = (n - b) / 256
  local c = n % 256
  local d = m % 256
  m = (m - d) / 256
  local e = m % 256
  m = (m - e) / 256
  local f = m % 256
  m = (m - f) / 256
  local g = m % 256
  m = (m - g) / 256
  local h = m % 256
  m = (m - h) / 256
  local i = m % 256
  return char(a, b, c, (n - c) / 256, d, e, f, g, h, i, (m - i) / 256)
end

-- less compares big-endian strings of the same length. Lua's own < follows a locale.
local function less(a, b)
  for i = 1, #a do
    local x, y = byte(a, i), byte(b, i)
    if x ~= y then return x < y end
  end
  return false
end

-- head makes what comes before the segments in field '0'.
local function head(calls, generations, spilled, length)
  local a = calls % 256
  calls = (calls - a) / 256
  local b = calls % 256
  calls = (calls - b) / 256
  local c = calls % 256
  local e = generations % 256
  generations = (generations - e) / 256
  local f = generations % 256
  local g = length % 256
  length = (length - g) / 256
  local h = length % 256
  return char(a, b, c, (calls - c) / 256, e, f, (generations - f) / 256, spilled, g, h, (length - h) / 256)
end

-- group_of returns where the group of a span begins, or nil. An id may stand by chance across
-- others, so a match counts only in its place.
local function group_of(s, groups, id)
  local i = find(s, id, groups, true)
  local p = groups
  while i do
    while true do
      local low, high = byte(s, p + 14, p + 15)
      local next = p + 16 + 8 * (low + 256 * high)
      if i < next then
        if i >= p + 16 and (i - p) % 8 == 0 then return p end
        break
      end
      p = next
    end
    i = find(s, id, i + 1, true)
  end
end

-- is_list tells whether the entry that ends at i is a list.
local function is_list(s, i) return byte(s, i) >= 128 end

-- record_at returns where the segment stands in field '0' and where the next one does, or nil.
local function record_at(s, groups, id)
  local p = HEAD
  while p < groups do
    local next = p + 11 + u24(s, p + 8)
    if sub(s, p, p + 7) == id then return p, next end
    p = next
  end
end

-- in_flight returns where in a record the generation stands, and the bytes it takes, or nil.
local function in_flight(record, generation)
  local p = 2
  if byte(record, 1) >= 2 then p = 36 + 6 * u24(record, 33) end
  while p <= #record do
    local length = 38 + 6 * u24(record, p + 35)
    if sub(record, p, p + 11) == generation then return p, length end
    p = p + length
  end
end

-- each_piece calls the command on a key with a list that may be too long for one call.
local function each_piece(command, key, list)
  local n = #list
  if n == 0 then return end
  if n <= PIECE then
    call(command, key, unpack(list))
    return
  end
  for i = 1, n, PIECE do call(command, key, unpack(list, i, min(i + PIECE - 1, n))) end
end
