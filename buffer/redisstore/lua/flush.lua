-- What the steps of a flush have in common: each looks at one segment of a trace, and changes at
-- most that.

-- open reads the trace and the segment's record; nil if there is none.
local function open(key, segment)
  local s = call('HGET', key, '0')
  if not s then return nil end
  local spilled = byte(s, 8)
  local t = { key = key, s = s, groups = HEAD + u24(s, 9), spilled = spilled, segment = segment }
  if spilled >= 2 then
    t.record = call('HGET', key, 's' .. segment)
  else
    t.from, t.next = record_at(s, t.groups, segment)
    if t.from then t.record = sub(s, t.from + 11, t.next - 1) end
  end
  return t.record and t or nil
end

-- replace writes another record of the segment; nil takes it away.
local function replace(t, record)
  if not t.from then
    if record then
      call('HSET', t.key, 's' .. t.segment, record)
    else
      call('HDEL', t.key, 's' .. t.segment)
    end
    return
  end
  local s, length = t.s, t.groups - HEAD + (record and #record or -11) - (t.next - t.from - 11)
  if record then record = t.segment .. p24(#record) .. record end
  t.s = sub(s, 1, 8) .. p24(length) .. sub(s, HEAD, t.from - 1) .. (record or '') .. sub(s, t.next)
  t.groups = HEAD + length
end
