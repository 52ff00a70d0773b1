-- What all of Attach knows of the call, see attach.lua.
local delivery, limit, prefix = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

-- How much the call has done, in what it takes to write a field, some 300 ns; beyond so much, traces that
-- are not begun are put off.
local work, WORK_MAX = 0, 2000

-- general returns the function that attaches whatever quick.lua leaves. It and all that it is made of, up
-- to the end of attach_general.lua, are made only if a trace needs them: to make them takes as long as
-- to attach a small trace or two.
local function general()

