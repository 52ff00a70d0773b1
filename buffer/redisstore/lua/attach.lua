-- Attach: adds subtrees of one batch to traces.
--
-- KEYS     traces
-- ARGV[1]  delivery of the batch: its id (12 bytes, as live.generation), and its clock (8 bytes, as
--          live.first)
-- ARGV[2]  max_segment_bytes, 0 for none
-- ARGV[3]  length of the part of a key that comes before "project:trace"
-- ARGV[3k+1 .. 3k+3]  of KEYS[k]: its subtrees; their frames, which become blobs, in two parts,
--          the second of which may be empty
--
-- Subtrees are
--   n u24 | size u56 | root u8 | distinct u8 | m u24 | n span ids | m subtrees | n details
-- where size and root are those of all spans, and distinct is 1 if no id occurs twice;
--   subtree  parent (8) | n u24 | length of its frame u32
--   detail   size u56 | root u8
--
-- Returns for each key: stored u32 | duplicates u32 | n u32 | n live | merged ...
--   live    segment (8) | generation (12) | has root u8 | first (8)
--   merged  segment (8) | generation (12)
-- or an empty string: the step is to be made again, since a way was shortened, or other traces of the
-- call took long: many may outgrow field '0' at the same time
--
-- A trace that is new may be stored without this, see small.go.
--
-- A script without flags is refused as a whole when Redis is out of memory, which is what we want:
-- nothing is added, and only half a trace never is. All reads of a trace come before its first
-- write, so that a step that fails has changed nothing.

-- state reads field '0'. A small trace becomes a hash.
local small = small_traces(KEYS)
local function state(key)
  local value = small[key]
  if not value then return call('HGET', key, '0') end
  local at, n, flying = small_parts(value)
  local segment = sub(value, at, at + 7)
  local record = (flying == 1 and '\1' or '\3') .. sub(value, at + 8, at + 19)
    .. (flying == 1 and sub(value, -15, -4) or sub(value, at + SMALL_FIRST, at + SMALL_FIRST + 7))
    .. p32(n) .. sub(value, at + SMALL_SIZE, at + SMALL_SIZE + 6) .. '\1\0\0' .. SMALL_BLOB
  local s = head(1, 1, 0, 11 + #record) .. segment .. p24(#record) .. record
    .. segment .. SMALL_BLOB .. char(n % 256, floor(n / 256))
    .. sub(value, at + SMALL_IDS, at + SMALL_IDS + 8 * n - 1)
  call('DEL', key)
  call('HSET', key, '0', s, 'b' .. SMALL_BLOB, sub(value, 1, at - 1))
  small[key] = nil
  return s
end

local other = nil -- what general returns

local function step(key, meta, first, rest)
  if written > WRITTEN_MAX then return '' end
  local s = state(key)
  local answer = quick(key, s, meta, first, rest, delivery, limit)
  if answer then return answer end
  other = other or general()
  return other(key, s, meta, first, rest)
end

local answers = {}
for k = 1, #KEYS do
  answers[k] = step(KEYS[k], ARGV[3 * k + 1], ARGV[3 * k + 2], ARGV[3 * k + 3])
end
return answers
