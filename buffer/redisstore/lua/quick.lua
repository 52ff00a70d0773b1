-- The usual case of Attach: all spans are new, belong to one segment, pull nothing in and fit.
-- What is not usual is left to attach.lua, which gives the same result in every case; this only
-- makes fewer strings and tables.

-- resolve_quick follows at most one redirect, through the groups of field '0'. A longer way, which
-- is to be shortened, gives nil. A way is known to end at known, if that is not nil.
local function resolve_quick(s, groups, id, known)
  local p = group_of(s, groups, id)
  if not p then return id end
  local target = sub(s, p, p + 7)
  if target == id or target == known then return target end
  p = group_of(s, groups, target)
  if not p or sub(s, p, p + 7) == target then return target end
end

-- one_target returns the segment to which all parents resolve, or nil.
local function one_target(s, groups, meta, from, count)
  local target = nil
  for p = from, from + 15 * (count - 1), 15 do
    local id = sub(meta, p, p + 7)
    if s and id ~= target then id = resolve_quick(s, groups, id, target) end
    if not id or target and target ~= id then return nil end
    target = id
  end
  return target
end

-- all_new tells whether none of the ids from 16 to last is a span's or another segment's.
local function all_new(s, groups, meta, last, target)
  for i = 16, last, 8 do
    local id = sub(meta, i, i + 7)
    if find(s, id, HEAD, true) and (id ~= target or group_of(s, groups, id)) then return false end
  end
  return true
end

-- quick adds the subtrees and returns the answer, or returns nil and has done nothing.
local function quick(key, s, meta, first, rest, delivery, limit)
  local n1, n2, n3, s1, s2, s3, s4, s5, s6, s7, root, distinct, u1, u2, u3 = byte(meta, 1, 15)
  if distinct == 0 then return nil end
  local n = n1 + n2 * 256 + n3 * 65536
  local size = s1 + s2 * 256 + s3 * 65536 + s4 * 16777216
    + (s5 + s6 * 256 + s7 * 65536) * 4294967296
  local subtrees, last = u1 + u2 * 256 + u3 * 65536, 15 + 8 * n
  local calls, generations, length, groups = 1, 0, 0, HEAD
  if s then
    local c1, c2, c3, c4, g1, g2, g3, spilled, l1, l2, l3 = byte(s, 1, 11)
    if spilled ~= 0 then return nil end
    calls = c1 + c2 * 256 + c3 * 65536 + c4 * 16777216 + 1
    generations = g1 + g2 * 256 + g3 * 65536
    length = l1 + l2 * 256 + l3 * 65536
    groups = HEAD + length
    if #s - groups + 8 * n > GROUPS_MAX - 16 or length > SEGMENTS_MAX - 100 then return nil end
  elseif 8 * n > GROUPS_MAX - 16 then
    return nil
  end
  local target = one_target(s, groups, meta, last + 1, subtrees)
  if not target or s and not all_new(s, groups, meta, last, target) then return nil end

  local blob = p32(calls) .. '\0\0'
  local group = target .. blob .. char(n % 256, floor(n / 256)) .. sub(meta, 16, last)
  local from, next, flags = nil, nil, 0
  if s then from, next = record_at(s, groups, target) end
  local r = from and from + 11 -- where the record begins
  if r then flags = byte(s, r) end
  if root == 1 and flags % 2 == 0 then flags = flags + 1 end
  local state, name
  if flags >= 2 then
    local bytes, blobs = u56(s, r + 25) + size, u24(s, r + 32)
    if limit > 0 and bytes > limit or blobs >= ENTRIES_MAX then return nil end
    name = sub(s, r + 1, r + 20) -- generation, first
    state = head(calls, generations, 0, length + 6)
      .. sub(s, HEAD, from + 7) .. p24(next - r + 6) .. char(flags) .. name
      .. p32_56(u32(s, r + 21) + n, bytes) .. p24(blobs + 1)
      .. sub(s, r + 35, r + 34 + 6 * blobs) .. blob .. sub(s, r + 35 + 6 * blobs) .. group
  else
    if limit > 0 and size > limit then return nil end
    name = delivery
    local live = char(flags + 2) .. name .. p32_56(n, size) .. '\1\0\0' .. blob
    if r then
      state = head(calls, generations + 1, 0, length + 40)
        .. sub(s, HEAD, from + 7) .. p24(next - r + 40) .. live .. sub(s, r + 1) .. group
    else
      state = head(calls, generations + 1, 0, length + 52)
        .. (s and sub(s, HEAD, groups - 1) or '') .. target .. '\41\0\0' .. live
        .. (s and sub(s, groups) or '') .. group
    end
  end
  if rest == '' then
    call('HSET', key, '0', state, 'b' .. blob, first)
  else
    call('HSET', key, '0', state, 'b' .. blob, first, 'c' .. blob, rest)
  end
  return p32(n) .. '\0\0\0\0\1\0\0\0' .. target .. sub(name, 1, 12)
    .. (flags % 2 == 1 and '\1' or '\0') .. sub(name, 13)
end
