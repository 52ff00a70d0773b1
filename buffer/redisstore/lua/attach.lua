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

local small = small_traces(KEYS)
-- Stands for the value of a trace that this call has changed.
local CHANGED = ''
local LIVE = NOBODY .. '\2'

-- grow attaches one subtree, all of whose spans are new and below the segment, to a small trace, and
-- returns the answer; or it returns nil and has done nothing.
local function grow(key, value, meta, first, rest)
  local n1, n2, n3, s1, s2, s3, s4, s5, s6, s7, _, distinct, subtrees = byte(meta, 1, 13)
  local at, n, flying = small_parts(value)
  local from = at - 8 * n -- of the ids
  local added = n1 + n2 * 256 + n3 * 65536
  if flying or distinct == 0 or subtrees ~= 1 or byte(meta, 14) + byte(meta, 15) > 0
    or n + added > SMALL_SPANS_MAX or from - 1 + #first + #rest > SMALL_MAX then
    return nil
  end
  local size = u56(value, at + SMALL_SIZE) + s1 + s2 * 256 + s3 * 65536 + s4 * 16777216
    + (s5 + s6 * 256 + s7 * 65536) * 4294967296
  if limit > 0 and size > limit then return nil end
  local name = sub(value, at + SMALL_NAME, at + SMALL_NAME + 19)
  local segment, ids = sub(name, 1, 8), sub(value, from, at - 1)
  local function known(id)
    local i = find(ids, id, 1, true)
    while i and i % 8 ~= 1 do i = find(ids, id, i + 1, true) end
    return i
  end
  local last = 15 + 8 * added
  local parent = sub(meta, last + 1, last + 8)
  if parent ~= segment and not known(parent) then return nil end
  for i = 16, last, 8 do
    local id = sub(meta, i, i + 7)
    if id == segment or known(id) then return nil end
  end
  local began = sub(value, at, at + 7)
  n = n + added
  call('SETRANGE', key, from - 1, first .. rest .. ids .. sub(meta, 16, last)
    .. began .. sub(p32_56(0, size), 5) .. char(n % 256, floor(n / 256)) .. name .. LIVE)
  small[key] = CHANGED
  return p32(added) .. '\0\0\0\0\1\0\0\0' .. name .. '\1' .. began
end

-- to_hash makes a hash of a small trace, each frame a blob of its own, and returns field '0'.
local function to_hash(key, value)
  local at, n, flying = small_parts(value)
  local from = at - 8 * n -- of the ids
  local set, blobs, p = {}, {}, 1
  while p < from do
    local length, unit, q = 0, 1, p + 1
    while true do
      local digit = byte(value, q)
      q = q + 1
      length, unit = length + digit % 128 * unit, unit * 128
      if digit < 128 then break end
    end
    local blob = p32(#blobs + 1) .. '\0\0'
    blobs[#blobs + 1] = blob
    set[2 * #blobs - 1], set[2 * #blobs] = 'b' .. blob, sub(value, p, q + length - 1)
    p = q + length
  end
  local name = sub(value, at + SMALL_NAME, at + SMALL_NAME + 19)
  local segment = sub(name, 1, 8)
  local record = (flying and '\1' or '\3') .. sub(name, 9)
    .. (flying and sub(value, at + SMALL_OWNER, at + SMALL_OWNER + 11) or sub(value, at, at + 7))
    .. p32(n) .. sub(value, at + SMALL_SIZE, at + SMALL_SIZE + 6) .. p24(#blobs) .. concat(blobs)
  local s = head(#blobs, 1, 0, 11 + #record) .. segment .. p24(#record) .. record
    .. segment .. blobs[1] .. char(n % 256, floor(n / 256))
    .. sub(value, from, at - 1)
  set[#set + 1], set[#set + 2] = '0', s
  call('DEL', key)
  call('HSET', key, unpack(set))
  small[key], work = nil, work + 10 + 4 * #blobs
  return s
end

local other = nil -- what general returns

local function step(key, meta, first, rest)
  if work > WORK_MAX then return '' end
  local value, s = small[key], nil
  if value == CHANGED then value = small_traces({ key })[key] end
  if value then
    local answer = grow(key, value, meta, first, rest)
    if answer then return answer end
    s = to_hash(key, value)
  else
    s = call('HGET', key, '0')
  end
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
