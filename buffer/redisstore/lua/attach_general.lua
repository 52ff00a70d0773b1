-- The general way to attach.

local function hex(s)
  return (string.gsub(s, '.', function(c) return string.format('%02x', byte(c)) end))
end

-- cut_off is the id of the segment of newcomers that do not fit into the target.
local function cut_off(t, target, first)
  local sum = redis.sha1hex(sub(t.key, prefix + 1) .. ':' .. hex(target) .. ':' .. hex(first))
  return (string.gsub(sub(sum, 1, 16), '..', function(x) return char(tonumber(x, 16)) end))
end

-- merge moves a live generation into another.
local function merge(t, from, into)
  into.count = into.count + from.count
  into.bytes = into.bytes + from.bytes
  into.entries = into.entries .. from.entries
  pack(t, into)
  if less(from.first, into.first) then into.first = from.first end
  local s = from.segment
  into.segment.root = into.segment.root or s.root
  s.live, s.dirty, from.into = nil, true, into
  if s.tail == '' then s.root = false end
  t.generations = t.generations - 1
  t.merged[#t.merged + 1] = s.id .. from.id
end

-- store adds the new spans of a subtree, which has at least one.
local function store(t, u)
  local size, children = u.size, {}
  for i = 1, #u.ids, 8 do
    local id = sub(u.ids, i, i + 7)
    local s = id ~= u.target and segment(t, id)
    if s and s.live then
      children[#children + 1] = s.live
      size = size + s.live.bytes
    end
  end
  local s = segment(t, u.target)
  if limit > 0 and (s and s.live and s.live.bytes or 0) + size > limit then
    u.holder = cut_off(t, u.target, sub(u.ids, 1, 8))
    s = segment(t, u.holder)
  end
  if not s then
    s = { id = u.holder or u.target, root = false, tail = '' }
    t.segments[s.id] = s
    t.order[#t.order + 1] = s.id
  end
  local g = s.live
  if not g then
    g = {
      segment = s, id = sub(delivery, 1, 12), first = sub(delivery, 13),
      count = 0, bytes = 0, entries = '',
    }
    s.live = g
    t.generations = t.generations + 1
  end
  for _, child in ipairs(children) do merge(t, child, g) end
  g.count, g.bytes = g.count + u.n, g.bytes + u.size
  s.root, s.dirty = s.root or u.root, true
  u.generation = g
end

-- subtree reads one, from the places of its ids, its start, its details and of its frame; adds
-- it; and returns where the next one's are.
local function subtree(t, ids, at, details, frame)
  local meta = t.meta
  local n, length = u24(meta, at + 8), u32(meta, at + 11)
  local target, cut, way = walk(t, sub(meta, at, at + 7))
  local u = {
    target = target, n = 0, size = 0, root = false,
    from = frame, to = frame + length - 1,
  }
  local kept, mask = {}, {}
  for i = 1, n do
    local id = sub(meta, ids + 8 * i - 8, ids + 8 * i - 1)
    if t.fresh[id] or redirect(t, id) then
      mask[i] = '\0'
      t.duplicates[#t.duplicates + 1] = id
    else
      local detail = details + 8 * (i - 1)
      mask[i], kept[#kept + 1] = '\1', id
      t.fresh[id] = u
      u.size = u.size + u56(meta, detail)
      u.root = u.root or byte(meta, detail + 7) == 1
    end
  end
  u.n, u.ids = #kept, concat(kept)
  if u.n < n then
    u.mask = '\2' .. p24(n) .. concat(mask)
    t.whole = false
  end
  if u.n > 0 then
    t.stored = t.stored + u.n
    t.added[#t.added + 1] = u
    compress(t, target, cut, way)
    store(t, u)
  end
  return ids + 8 * n, at + 15, details + 8 * n, frame + length
end

-- place returns where a span can be, once nothing changes any more: the holders on its way, then the
-- segment at its end, as a list linked by next.
local function place(t, id)
  local way, holders, n, p = {}, {}, 0, nil
  while true do
    p = t.places[id]
    if p then break end
    local target, holder = leads(t, id)
    n = n + 1
    way[n], holders[n] = id, holder or false
    if not target or target == id then
      p = { segment = id }
      break
    end
    id = target
  end
  for i = n, 1, -1 do
    if holders[i] then p = { segment = holders[i], next = p } end
    t.places[way[i]] = p
  end
  return p
end

-- holder_of returns the live generation that holds a span, or nil if that is in flight.
local function holder_of(t, id)
  local f = t.fresh[id]
  if f then return final(f.generation) end
  local blob, p = sub(redirect(t, id), 9, 14), place(t, id)
  while p do
    local s = segment(t, p.segment)
    if s and s.live and (t.generations == 1 or blobs_of(t, s.live)[blob]) then return s.live end
    p = p.next
  end
end

local function answer(t)
  local live, seen = {}, {}
  local function add(g)
    if g and not seen[g] then
      seen[g] = true
      live[#live + 1] = g.segment.id .. g.id .. (g.segment.root and '\1' or '\0') .. g.first
    end
  end
  for _, u in ipairs(t.added) do add(final(u.generation)) end
  for _, id in ipairs(t.duplicates) do add(holder_of(t, id)) end
  return p32(t.stored) .. p32(#t.duplicates) .. p32(#live) .. concat(live) .. concat(t.merged)
end

-- shorten_ways shortens the first way that is too long, and tells whether there was one. Those of spans
-- that are new have not begun.
local function shorten_ways(t, ids, at, count)
  for _ = 1, count do
    if shorten(t, sub(t.meta, at, at + 7)) then return true end
    for _ = 1, u24(t.meta, at + 8) do
      local id = sub(t.meta, ids, ids + 7)
      if t.fetched[id] ~= false and shorten(t, id) then return true end
      ids = ids + 8
    end
    at = at + 15
  end
  return false
end

-- fetch reads fields, as many by one command as it takes.
local function fetch(t, fields, each)
  for i = 1, #fields, PIECE do
    local last = min(i + PIECE - 1, #fields)
    for k, value in ipairs(call('HMGET', t.key, unpack(fields, i, last))) do
      each(fields[i + k - 1], value)
    end
  end
end

-- fetch_redirects reads those of the parents: one command for all costs half of one for each.
local function fetch_redirects(t, at, count)
  local fields = {}
  for i = at, at + 15 * (count - 1), 15 do
    local parent = sub(t.meta, i, i + 7)
    if t.fetched[parent] == nil then
      t.fetched[parent] = false
      fields[#fields + 1] = parent
    end
  end
  fetch(t, fields, function(id, value) t.fetched[id] = value end)
end

-- fetch_segments reads those that the parents lead to: by one redirect, mostly.
local function fetch_segments(t, at, count)
  local fields = {}
  for i = at, at + 15 * (count - 1), 15 do
    local parent = sub(t.meta, i, i + 7)
    local value = t.fetched[parent]
    local id = value and sub(value, 1, 8) or parent
    if t.segments[id] == nil and not t.records[id] then
      t.segments[id] = false
      fields[#fields + 1] = 's' .. id
    end
  end
  fetch(t, fields, function(field, record)
    local id = sub(field, 2)
    if record then t.segments[id], t.records[id], t.order[#t.order + 1] = nil, record, id end
  end)
end

local function attach(t, first, rest)
  local meta = t.meta
  local n, count = u24(meta, 1), u24(meta, 13)
  local ids, at, frame = 16, 16 + 8 * n, 1
  local details = at + 15 * count
  if t.redirects_spilled then
    fetch_redirects(t, at, count)
    if shorten_ways(t, ids, at, count) then return '' end
  end
  if t.segments_spilled then fetch_segments(t, at, count) end
  for _ = 1, count do ids, at, details, frame = subtree(t, ids, at, details, frame) end
  work = work + 15 + 20 * count + 5 * n + 2 * #t.order + #t.s / 64
  local text = answer(t)
  if t.stored > 0 then
    name_blobs(t, first, rest)
    save(t)
  end
  return text
end

return function(key, s, meta, first, rest)
  local answer, fetched = giant(key, s, meta, first, rest, delivery, limit)
  return answer or attach(open(key, s, meta, fetched), first, rest)
end

end -- of general
