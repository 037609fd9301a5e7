--- What of a trace a diagram shows: a stretch of time, some nodes, some kinds of events. Each form of diagram asks
-- this one, event by event; how a run begins and ends, and what no single node did, is shown for any nodes.
--
-- It counts what it was asked, so that a form can tell what it leaves out. It draws nothing.
-- @module raft.view.choose

local choose = {}

local always = { run = true, verdict = true }

local Choice = {}
Choice.__index = Choice

local function set_of(list)
  if not list then
    return nil
  end
  local set = {}
  for position = 1, #list do
    set[list[position]] = true
  end
  return set
end

--- What was chosen.
-- @tparam table options `from` and `to` seconds, `nodes` list of ids, `kinds` list of names of kinds, each nil: all;
-- `node_names` what the user calls them, `scale` units of an event's time in a second (1e9)
-- @treturn table with `takes` and `words`; `is_all`: everything is shown
function choose.new(options)
  local scale = options.scale or 1e9
  return setmetatable({
    from = options.from and options.from * scale, to = options.to and options.to * scale, options = options,
    nodes = set_of(options.nodes), kinds = set_of(options.kinds), count = 0,
    is_all = not (options.from or options.to or options.nodes or options.kinds),
  }, Choice)
end

--- Whether an event lies within the stretch of time.
-- @tparam number time of an event
-- @treturn boolean
function Choice:is_within(time)
  return not (self.from and time < self.from) and not (self.to and time > self.to)
end

--- Whether a node is shown.
-- @tparam integer id 0: what no node did
-- @treturn boolean
function Choice:has_node(id)
  return not self.nodes or id == 0 or self.nodes[id] == true
end

--- Whether a kind of events was asked for by its name.
-- @tparam string kind
-- @treturn boolean
function Choice:names_kind(kind)
  return self.kinds ~= nil and self.kinds[kind] == true
end

--- Whether an event is shown, without counting it.
-- @tparam table event
-- @treturn boolean
function Choice:has(event)
  if self.is_all or always[event.kind] then
    return true
  end
  return self:is_within(event.time) and self:has_node(event.node) and (not self.kinds or self.kinds[event.kind] == true)
end

--- Whether an event is one of those that were asked for: how a run begins and ends is not.
-- @tparam table event
-- @treturn boolean
function Choice:counts(event)
  if self.is_all then
    return true
  end
  return not always[event.kind] and self:has(event)
end

--- Whether the next event is shown; counts those that were asked for.
-- @tparam table event
-- @treturn boolean
function Choice:takes(event)
  if self.is_all then
    return true
  elseif self:counts(event) then
    self.count = self.count + 1
    return true
  end
  return always[event.kind] == true
end

--- How many of the events so far were asked for.
-- @treturn ?integer nil: everything is
function Choice:total()
  return not self.is_all and self.count or nil
end

local function seconds(number)
  return (("%.6f"):format(number):gsub("0+$", ""):gsub("%.$", ""))
end

--- What is shown, in words.
-- @treturn ?string nil: everything is
function Choice:words()
  if self.is_all then
    return nil
  end
  local options, parts = self.options, {}
  if options.from and options.to then
    parts[#parts + 1] = ("from %s s to %s s"):format(seconds(options.from), seconds(options.to))
  elseif options.from then
    parts[#parts + 1] = ("from %s s on"):format(seconds(options.from))
  elseif options.to then
    parts[#parts + 1] = ("up to %s s"):format(seconds(options.to))
  end
  if options.nodes then
    local ids = {}
    for position = 1, #options.nodes do
      ids[position] = options.node_names and options.node_names[position] or ("%.0f"):format(options.nodes[position])
    end
    parts[#parts + 1] = (#ids == 1 and "node " or "nodes ") .. table.concat(ids, ", ")
  end
  if options.kinds then
    parts[#parts + 1] = (#options.kinds == 1 and "kind " or "kinds ") .. table.concat(options.kinds, ", ")
  end
  return table.concat(parts, "; ")
end

return choose
