-- The entries of a generation: blobs, and lists of blobs, so that neither another blob nor a merge has
-- to write again what is there.

-- level_of is that of the entry that ends at i: 0 for a blob.
local function level_of(s, i)
  return is_list(s, i) and floor(byte(s, i) / 16) - 7 or 0
end

-- pack makes room among the entries of a generation that has many: those of one level, the one with
-- the most, become a list.
local function pack(t, g)
  if #g.entries < 6 * ENTRIES_MAX or t.packed == 4096 then return end
  local count, most = {}, 0
  for i = 6, #g.entries, 6 do
    local level = level_of(g.entries, i)
    count[level] = (count[level] or 0) + 1
  end
  for level, n in pairs(count) do
    local best = count[most] or 0
    if n > best or n == best and level < most then most = level end
  end
  local inside, others = {}, {}
  for i = 6, #g.entries, 6 do
    local list = level_of(g.entries, i) == most and inside or others
    list[#list + 1] = sub(g.entries, i - 5, i)
  end
  local level, k = min(most + 1, 8), t.packed
  local name = p32(t.call) .. char(k % 256, 112 + 16 * level + floor(k / 256))
  t.packed, t.lists[name] = k + 1, concat(inside)
  put(t, 'l' .. name, t.lists[name])
  others[#others + 1] = name
  g.entries = concat(others)
end

-- blobs_of returns the set of a generation's blobs.
local function blobs_of(t, g)
  if g.set then return g.set end
  local set, todo = {}, { g.entries }
  while #todo > 0 do
    local entries = todo[#todo]
    todo[#todo] = nil
    for i = 6, #entries, 6 do
      local entry = sub(entries, i - 5, i)
      if is_list(entries, i) then
        todo[#todo + 1] = t.lists[entry] or call('HGET', t.key, 'l' .. entry)
      else
        set[entry] = true
      end
    end
  end
  g.set = set
  return set
end
