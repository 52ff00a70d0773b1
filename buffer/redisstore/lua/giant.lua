-- The usual case of Attach in a trace of many spans, whose redirects are in fields of their own, or
-- are to be from now on: as in quick.lua, all spans are new, belong to one segment, pull nothing in
-- and fit. All spans of the call are looked up by one command, and written by one.

-- resolve_giant is resolve_quick for spilled redirects.
local function resolve_giant(key, id)
  local value = call('HGET', key, id)
  if not value then return id end
  local target = sub(value, 1, 8)
  if target == id then return id end
  value = call('HGET', key, target)
  if not value or sub(value, 1, 8) == target then return target end
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

-- grown returns the record of a segment that gets another blob, and the name of its live generation
-- with its first; nil if it would be too large.
local function grown(record, n, size, root, blob, delivery, limit)
  local flags = record and byte(record, 1) or 0
  if root == 1 and flags % 2 == 0 then flags = flags + 1 end
  if flags < 2 then
    if limit > 0 and size > limit then return nil end
    return char(flags + 2) .. delivery .. p32_56(n, size) .. '\1\0\0' .. blob
      .. (record and sub(record, 2) or ''), delivery, flags
  end
  local bytes, blobs = u56(record, 26) + size, u24(record, 33)
  if limit > 0 and bytes > limit or blobs >= ENTRIES_MAX then return nil end
  local name = sub(record, 2, 21)
  return char(flags) .. name .. p32_56(u32(record, 22) + n, bytes) .. p24(blobs + 1)
    .. sub(record, 36, 35 + 6 * blobs) .. blob .. sub(record, 36 + 6 * blobs), name, flags
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
  if n > PIECE or spilled % 2 == 0 and grouped + 8 * n <= GROUPS_MAX - 16
    or spilled % 2 == 1 and grouped > 0 then
    return nil
  end
  local list = {}
  for i = 1, n do list[i] = sub(meta, 8 + 8 * i, 15 + 8 * i) end
  local fetched = nil
  if spilled % 2 == 1 then
    fetched = {}
    local old = false
    for i, value in ipairs(call('HMGET', key, unpack(list))) do
      fetched[list[i]] = value
      old = old or value
    end
    if old then return nil, fetched end
  end
  if distinct == 0 then return nil, fetched end

  local target
  if spilled % 2 == 1 then
    for p = last + 1, last + 1 + 15 * (subtrees - 1), 15 do
      local id = resolve_giant(key, sub(meta, p, p + 7))
      if not id or target and target ~= id then return nil, fetched end
      target = id
    end
  else
    target = one_target(s, groups, meta, last + 1, subtrees)
    if not target or s and not all_new(s, groups, meta, last, target) then return nil end
  end
  if s and not heads_none(key, s, groups, spilled, sub(meta, 16, last), list, target) then
    return nil, fetched
  end

  local from, next, record
  if spilled >= 2 then
    record = call('HGET', key, 's' .. target)
  elseif s then
    from, next = record_at(s, groups, target)
    if from then record = sub(s, from + 11, next - 1) end
  end
  local blob = p32(calls) .. '\0\0'
  local after, name, flags = grown(record, n, size, root, blob, delivery, limit)
  if not after then return nil, fetched end
  if not record or byte(record, 1) < 2 then generations = generations + 1 end

  local set = { 'b' .. blob, first }
  if rest ~= '' then set[3], set[4] = 'c' .. blob, rest end
  local at = #set
  if spilled >= 2 then
    set[at + 1], set[at + 2] = 's' .. target, after
    set[at + 3], set[at + 4] = '0', head(calls, generations, 3, 0)
  else
    local segments = s and sub(s, HEAD, groups - 1) or ''
    after = target .. p24(#after) .. after
    if from then
      segments = sub(s, HEAD, from - 1) .. after .. sub(s, next, groups - 1)
    else
      segments = segments .. after
    end
    if #segments > SEGMENTS_MAX and #segments > #after then return nil, fetched end
    set[at + 1], set[at + 2] = '0', head(calls, generations, 1, #segments) .. segments
    if s then spill({ set = set }, sub(s, groups)) end
  end
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
