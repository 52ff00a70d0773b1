-- What all of Attach knows of the call, see attach.lua.
local delivery, limit, prefix = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

-- How many fields the call has written; beyond so many, traces that are not begun are put off.
local written, WRITTEN_MAX = 0, 1000

-- general returns the function that attaches whatever quick.lua leaves. It and all that it is made of, up
-- to the end of attach_general.lua, are made only if a trace needs them: to make them takes as long as
-- to attach a small trace or two.
local function general()

