-- The usual case of Attach in a trace of many spans, whose redirects are in fields of their own, or
-- are to be from now on: as in quick.lua, all spans are new, belong to one segment, pull nothing in
-- and fit. All spans of the call are looked up by one command, and written by one.

-- target_of returns the segment to which all parents resolve, by the redirects that were read of them, or
-- nil. It notes what it reads.
local function target_of(key, meta, from, count, fetched)
  local target, last = nil, nil -- the last segment to which a redirect led
  for p = from, from + 15 * (count - 1), 15 do
    local id = sub(meta, p, p + 7)
    local value = fetched[id]
    if value then
      local leads = sub(value, 1, 8)
      if leads ~= id and leads ~= last then
        value = call('HGET', key, leads)
        fetched[leads] = value
        if value and sub(value, 1, 8) ~= leads then return nil end
        last = leads
      end
      id = leads
    end
    if target and target ~= id then return nil end
    target = id
  end
  return target
end

-- heads_none tells whether none of the new spans heads another segment that is stored. Ids is the
-- part of meta with their ids.
local function heads_none(key, s, groups, spilled, ids, list, target)
  if spilled >= 2 then
    local fields = {}
    for i, id in ipairs(list) do fields[i] = id == target and '0' or 's' .. id end
    for i, record in ipairs(call('HMGET', key, unpack(fields))) do
      if record and fields[i] ~= '0' then return false end
    end
    return true
  end
  local p = HEAD
  while p < groups do
    local id = sub(s, p, p + 7)
    if id ~= target then
      local i = find(ids, id, 1, true)
      while i do
        if i % 8 == 1 then return false end
        i = find(ids, id, i + 1, true)
      end
    end
    p = p + 11 + u24(s, p + 8)
  end
  return true
end

-- grown returns the record of a segment that gets another blob, in two parts, and the name of its live
-- generation with its first; nil if it would be too large. The record as it was is in s, from r to before
-- next; r is nil if there is none.
local function grown(s, r, next, n, size, root, blob, delivery, limit)
  local flags = r and byte(s, r) or 0
  if root == 1 and flags % 2 == 0 then flags = flags + 1 end
  if flags < 2 then
    if limit > 0 and size > limit then return nil end
    return char(flags + 2) .. delivery .. p32_56(n, size) .. '\1\0\0' .. blob,
      r and sub(s, r + 1, next - 1) or '', delivery, flags
  end
  local bytes, blobs = u56(s, r + 25) + size, u24(s, r + 32)
  if limit > 0 and bytes > limit or blobs >= ENTRIES_MAX then return nil end
  local name, last = sub(s, r + 1, r + 20), r + 34 + 6 * blobs
  return char(flags) .. name .. p32_56(u32(s, r + 21) + n, bytes) .. p24(blobs + 1)
    .. sub(s, r + 35, last) .. blob, sub(s, last + 1, next - 1), name, flags
end

-- giant adds the subtrees and returns the answer; or it returns nil and has done nothing, and the
-- redirects that it has read by then.
local function giant(key, s, meta, first, rest, delivery, limit)
  local n, distinct, subtrees = u24(meta, 1), byte(meta, 12), u24(meta, 13)
  local size, root, last = u56(meta, 4), byte(meta, 11), 15 + 8 * n
  local calls, generations, spilled, length, groups = 1, 0, 0, 0, HEAD
  if s then
    calls, generations, spilled, length = u32(s, 1) + 1, u24(s, 5), byte(s, 8), u24(s, 9)
    groups = HEAD + length
  end
  local grouped = s and #s + 1 - groups or 0
  if n + subtrees > PIECE or spilled % 2 == 0 and grouped + 8 * n <= GROUPS_MAX - 16
    or spilled % 2 == 1 and grouped > 0 then
    return nil
  end
  local list = {}
  for i = 1, n do list[i] = sub(meta, 8 + 8 * i, 15 + 8 * i) end
  local fetched, target = nil, nil
  if spilled % 2 == 1 then
    fetched = {}
    for i = 1, subtrees do list[n + i] = sub(meta, last + 15 * i - 14, last + 15 * i - 7) end
    local values, old = call('HMGET', key, unpack(list)), false
    for i = 1, n + subtrees do
      local value = values[i]
      fetched[list[i]] = value
      old = old or value and i <= n
    end
    if old or distinct == 0 then return nil, fetched end
    target = target_of(key, meta, last + 1, subtrees, fetched)
    if not target then return nil, fetched end
    for i = n + subtrees, n + 1, -1 do list[i] = nil end
  else
    if distinct == 0 then return nil end
    target = one_target(s, groups, meta, last + 1, subtrees)
    if not target or s and not all_new(s, groups, meta, last, target) then return nil end
  end
  if s and not heads_none(key, s, groups, spilled, sub(meta, 16, last), list, target) then
    return nil, fetched
  end

  local record, from, r, next = s, nil, nil, nil
  if spilled >= 2 then
    record = call('HGET', key, 's' .. target)
    if record then r, next = 1, #record + 1 end
  elseif s then
    from, next = record_at(s, groups, target)
    r = from and from + 11
  end
  local blob = p32(calls) .. '\0\0'
  local before, after, name, flags = grown(record, r, next, n, size, root, blob, delivery, limit)
  if not before then return nil, fetched end
  if not r or byte(record, r) < 2 then generations = generations + 1 end

  local set = { 'b' .. blob, first }
  if rest ~= '' then set[3], set[4] = 'c' .. blob, rest end
  local at, size = #set, #before + #after
  if spilled >= 2 then
    set[at + 1], set[at + 2] = 's' .. target, before .. after
    set[at + 3], set[at + 4] = '0', head(calls, generations, 3, 0)
  else
    local others = from and groups - HEAD - (next - from) or groups - HEAD
    if others > 0 and others + 11 + size > SEGMENTS_MAX then return nil, fetched end
    set[at + 1], set[at + 2] = '0', head(calls, generations, 1, others + 11 + size)
      .. (s and sub(s, HEAD, (from or groups) - 1) or '') .. target .. p24(size) .. before .. after
      .. (from and sub(s, next, groups - 1) or '')
  end
  -- Groups that stood beside segments that were spilled before, too: their spans would be forgotten.
  if s then spill({ set = set }, sub(s, groups)) end
  at = #set
  local value = target .. blob
  for i = 1, n do
    set[at + 2 * i - 1], set[at + 2 * i] = list[i], value
  end
  each_piece('HSET', key, set)
  work = work + #set / 2
  return p32(n) .. '\0\0\0\0\1\0\0\0' .. target .. sub(name, 1, 12)
    .. (flags % 2 == 1 and '\1' or '\0') .. sub(name, 13)
end
