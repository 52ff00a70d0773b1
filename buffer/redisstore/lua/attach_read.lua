-- What Attach knows of a trace while it works: read on demand, changed in memory, and written by
-- attach_write.lua at the end.

-- fetch_records reads at once which of the spans of the call head segments.
local function fetch_records(t)
  local ids, fields = {}, {}
  for i = 16, 8 + 8 * u24(t.meta, 1), 8 do
    local id = sub(t.meta, i, i + 7)
    ids[#ids + 1], fields[#fields + 1] = id, 's' .. id
  end
  for from = 1, #ids, PIECE do
    local last = min(from + PIECE - 1, #ids)
    for i, record in ipairs(call('HMGET', t.key, unpack(fields, from, last))) do
      local id = ids[from + i - 1]
      if not record then
        t.segments[id] = false
      elseif not t.records[id] then
        t.records[id] = record
        t.order[#t.order + 1] = id
      end
    end
  end
end

-- open returns what is known of a trace: field '0', what the call brings, and spilled redirects that
-- were read.
local function open(key, s, meta, fetched)
  local t = {
    key = key, meta = meta, s = s or '', groups = 1, calls = 0, generations = 0,
    redirects_spilled = false, segments_spilled = false,
    segments = {}, order = {}, records = {}, -- records understood, or false; ids; records as read
    fetched = fetched or {}, retargeted = {}, compressed = false, -- spilled redirects; new targets of spans
    fresh = {}, added = {}, -- spans of this call: id -> subtree; subtrees that store something
    duplicates = {}, merged = {}, stored = 0, whole = true,
    set = {}, del = {}, -- fields to write, fields to delete
    known = {}, places = {}, -- of stored spans: how far it is to the next stretch; where they are
    call = 1, packed = 0, lists = {}, -- of this call: its number, how many lists it made, and those
  }
  if not s then return t end
  local spilled = byte(s, 8)
  t.calls, t.generations = u32(s, 1), u24(s, 5)
  t.call = t.calls + 1
  t.redirects_spilled, t.segments_spilled = spilled % 2 == 1, spilled >= 2
  t.groups = HEAD + u24(s, 9)
  local p = HEAD
  while p < t.groups do
    local id, length = sub(s, p, p + 7), u24(s, p + 8)
    t.records[id] = sub(s, p + 11, p + 10 + length)
    t.order[#t.order + 1] = id
    p = p + 11 + length
  end
  if t.segments_spilled then fetch_records(t) end
  return t
end

-- put notes a field to write.
local function put(t, field, value)
  local set = t.set
  local n = #set
  set[n + 1], set[n + 2] = field, value
end

-- redirect returns the redirect of a span that was stored before, as it was read, or nil.
local function redirect(t, id)
  local p = group_of(t.s, t.groups, id)
  if p then return sub(t.s, p, p + 13) end
  if not t.redirects_spilled then return nil end
  local r = t.fetched[id]
  if r == nil then
    r = call('HGET', t.key, id)
    t.fetched[id] = r
  end
  return r or nil
end

local function segment(t, id)
  local s = t.segments[id]
  if s ~= nil then return s end
  local record = t.records[id]
  if not record and t.segments_spilled then
    record = call('HGET', t.key, 's' .. id)
    if record then
      t.records[id] = record
      t.order[#t.order + 1] = id
    end
  end
  if not record then
    t.segments[id] = false
    return false
  end
  local flags = byte(record, 1)
  s = { id = id, root = flags % 2 == 1 }
  if flags >= 2 then
    local last = 35 + 6 * u24(record, 33)
    s.live = {
      segment = s, id = sub(record, 2, 13), first = sub(record, 14, 21),
      count = u32(record, 22), bytes = u56(record, 26), entries = sub(record, 36, last),
    }
    s.tail = sub(record, last + 1)
  else
    s.tail = sub(record, 2)
  end
  t.segments[id] = s
  return s
end

-- known notes how far it is from these spans to where their stretch of the way ends: n redirects from
-- the first.
local function known(t, way, last, n)
  for i = 1, last do t.known[way[i]] = n - i + 1 end
end

-- shorten lets no way from an id be longer than it may. It returns true if a part of it was too long
-- and leads to its end now; there may be others. All of it is as it was read: nothing was changed yet.
local function shorten(t, id)
  local way, n = {}, 0 -- since the last span that was cut off
  while n <= WAY_MAX do
    local rest = t.known[id]
    if rest and n + rest <= WAY_MAX then
      known(t, way, n, n + rest)
      return false
    end
    local value = redirect(t, id)
    local target = value and sub(value, 1, 8)
    if not value or target == id then
      known(t, way, n, n)
      return false
    end
    n = n + 1
    way[n] = id
    if #value > 14 then
      known(t, way, n, n)
      n = 0
    end
    id = target
  end
  local set = {}
  for i = 1, n do
    set[2 * i - 1], set[2 * i] = way[i], id .. sub(t.fetched[way[i]], 9)
  end
  each_piece('HSET', t.key, set)
  return true
end

-- leads returns where a span leads, and its holder if it was cut off; nil if there is no such span.
local function leads(t, id)
  local target, holder
  local f = t.fresh[id]
  if f then
    target, holder = f.target, f.holder
  else
    local value = redirect(t, id)
    if not value then return nil end
    target = sub(value, 1, 8)
    if #value > 14 then holder = sub(value, 15) end
  end
  return t.retargeted[id] or target, holder
end

-- walk follows redirects from an id to the segment where they end. Further results: whether a span on the
-- way was cut off, and the ids on the way. Neither is of the end itself, which a shorter way has as well.
local function walk(t, id)
  local cut, way = false, {}
  while true do
    local target, holder = leads(t, id)
    if not target or target == id then break end
    cut = cut or holder
    way[#way + 1] = id
    id = target
  end
  return id, cut, way
end

-- compress lets every span on the way lead to its end at once, unless one of them was cut off: the
-- spans behind that are found by its holder.
local function compress(t, last, cut, way)
  if cut then return end
  for i = 1, #way - 1 do
    t.retargeted[way[i]] = last
    t.compressed = true
  end
end

-- final is the generation that a generation became part of, or itself.
local function final(g)
  while g.into do g = g.into end
  return g
end
