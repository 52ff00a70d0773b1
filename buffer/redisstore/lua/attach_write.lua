-- How Attach writes what it changed. All reads are done by now, so that a step that fails has
-- changed nothing.

-- name_blobs gives every generation that got spans its blob: the frames of its subtrees.
local function name_blobs(t, first, rest)
  local index, blobs, frames = 0, {}, nil
  t.calls = t.calls + 1
  for _, u in ipairs(t.added) do
    local g = final(u.generation)
    if not g.blob then
      if index == 32768 then t.calls, index = t.calls + 1, 0 end
      g.blob = { name = p32(t.calls) .. char(index % 256, floor(index / 256)), parts = {} }
      pack(t, g)
      g.entries = g.entries .. g.blob.name
      blobs[#blobs + 1] = g.blob
      index = index + 1
    end
    u.blob = g.blob.name
    local parts = g.blob.parts
    if u.mask then parts[#parts + 1] = u.mask end
    if not t.whole or #t.added > 1 then
      frames = frames or first .. rest
      parts[#parts + 1] = sub(frames, u.from, u.to)
    end
  end
  if t.whole and #blobs == 1 then
    put(t, 'b' .. blobs[1].name, first)
    if rest ~= '' then put(t, 'c' .. blobs[1].name, rest) end
    return
  end
  for _, blob in ipairs(blobs) do put(t, 'b' .. blob.name, concat(blob.parts)) end
end

-- group appends the group of these spans to the parts; those with another target by now get one of
-- their own.
local function group(t, parts, target, blob, ids)
  if t.compressed then
    local kept, others = {}, t.retargeted
    for i = 1, #ids, 8 do
      local id = sub(ids, i, i + 7)
      if others[id] then
        parts[#parts + 1] = others[id] .. blob .. '\1\0' .. id
      else
        kept[#kept + 1] = id
      end
    end
    ids = concat(kept)
  end
  for i = 1, #ids, 8 * 65535 do
    local some = sub(ids, i, i + 8 * 65535 - 1)
    local n = #some / 8
    parts[#parts + 1] = target .. blob .. char(n % 256, floor(n / 256)) .. some
  end
end

-- spill writes groups as fields.
local function spill(t, groups)
  local p = 1
  while p <= #groups do
    local value, low, high = sub(groups, p, p + 13), byte(groups, p + 14, p + 15)
    local next = p + 16 + 8 * (low + 256 * high)
    for i = p + 16, next - 1, 8 do put(t, sub(groups, i, i + 7), value) end
    p = next
  end
  t.redirects_spilled = true
end

-- redirects writes the redirects of the new spans as fields, and the spilled ones that have another
-- target by now.
local function redirects(t)
  local others = t.retargeted
  for id, value in pairs(t.fetched) do
    local target = others[id]
    if value and target then put(t, id, target .. sub(value, 9)) end
  end
  for _, u in ipairs(t.added) do
    local rest = u.blob .. (u.holder or '')
    local value = u.target .. rest
    for i = 1, #u.ids, 8 do
      local id = sub(u.ids, i, i + 7)
      local target = others[id]
      put(t, id, target and target .. rest or value)
    end
  end
end

-- groups_part returns the groups of field '0', with those of the new spans.
local function groups_part(t)
  if t.redirects_spilled and t.groups > #t.s then
    redirects(t)
    return ''
  end
  local parts, s, p = {}, t.s, t.groups
  while t.compressed and p <= #s do
    local low, high = byte(s, p + 14, p + 15)
    local next = p + 16 + 8 * (low + 256 * high)
    group(t, parts, sub(s, p, p + 7), sub(s, p + 8, p + 13), sub(s, p + 16, next - 1))
    p = next
  end
  parts[#parts + 1] = sub(s, p)
  for id, value in pairs(t.fetched) do
    local target = t.retargeted[id]
    if value and target then put(t, id, target .. sub(value, 9)) end
  end
  for _, u in ipairs(t.added) do
    if u.holder then
      for i = 1, #u.ids, 8 do put(t, sub(u.ids, i, i + 7), u.target .. u.blob .. u.holder) end
      t.redirects_spilled = true
    else
      group(t, parts, u.target, u.blob, u.ids)
    end
  end
  local groups = concat(parts)
  if #groups <= GROUPS_MAX then return groups end
  spill(t, groups)
  return ''
end

local function record_of(s)
  local flags, g = s.root and 1 or 0, s.live
  if not g then return s.tail ~= '' and char(flags) .. s.tail or nil end
  return char(flags + 2) .. g.id .. g.first .. p32_56(g.count, g.bytes)
    .. p24(#g.entries / 6) .. g.entries .. s.tail
end

-- segments_part returns the segments of field '0'.
local function segments_part(t)
  local ids, records, size = {}, {}, 0
  for _, id in ipairs(t.order) do
    local s, record = t.segments[id], t.records[id]
    if s and s.dirty then
      record = record_of(s)
    elseif t.segments_spilled then
      record = nil
    end
    if record then
      ids[#ids + 1], records[#records + 1] = id, record
      size = size + 11 + #record
    elseif t.segments_spilled and s and s.dirty then
      t.del[#t.del + 1] = 's' .. id
    end
  end
  if t.segments_spilled or size > SEGMENTS_MAX and #ids > 1 then
    t.segments_spilled = true
    for i, id in ipairs(ids) do put(t, 's' .. id, records[i]) end
    return ''
  end
  for i, id in ipairs(ids) do records[i] = id .. p24(#records[i]) .. records[i] end
  return concat(records)
end

local function save(t)
  local groups, segments = groups_part(t), segments_part(t)
  local spilled = (t.redirects_spilled and 1 or 0) + (t.segments_spilled and 2 or 0)
  put(t, '0', head(t.calls, t.generations, spilled, #segments) .. segments .. groups)
  each_piece('HSET', t.key, t.set)
  each_piece('HDEL', t.key, t.del)
  work = work + #t.set / 2 + #t.del
end
