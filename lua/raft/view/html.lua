--- A trace as one HTML page that needs nothing else: the diagram of its runs, drawn in the browser. The page itself is
-- in real files, lua/raft/view/page; this puts the trace into it.
--
-- It goes through the events once, and keeps of them no more than a chunk.
-- @module raft.view.html

local choose = require "raft.view.choose"
local columns = require "raft.view.columns"
local files = require "raft.files"
local histories = require "raft.view.histories"
local links = require "raft.view.links"
local operations = require "raft.view.operations"
local picture = require "raft.history.picture"
local runs = require "raft.view.runs"

local html = {}

-- In the order in which they stand in the page.
local SCRIPTS = { "data", "state", "story", "layout", "filter", "causes", "draw", "arrows", "marks", "clients", "plots",
  "panel", "overview", "search", "pointer", "keys", "tools", "main" }

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

-- ---- the files ----------------------------------------------------------------------------------------------

-- They are beside this file, wherever it is installed.
local function folder()
  local source = debug.getinfo(1, "S").source
  return (source:match "^@(.*)[^/]*$" or ""):gsub("[^/]*$", "") .. "page/"
end

local function read(name)
  return assert(files.read(folder() .. name))
end

-- The page before the data, and behind it.
local function page(title)
  local scripts = {}
  for number, name in ipairs(SCRIPTS) do
    scripts[number] = read(name .. ".js")
  end
  local parts = {
    TITLE = (title:gsub('[&<>"]', entities)), STYLE = read "style.css", SCRIPT = table.concat(scripts, "\n"),
  }
  local before, after = read("index.html"):match "^(.-)@DATA@\n(.*)$"
  local function filled(text)
    return (text:gsub("@(%u+)@", parts))
  end
  return filled(before), filled(after)
end

-- ---- the data -----------------------------------------------------------------------------------------------

-- Nothing in it ends the element it stands in.
local function harmless(text)
  return (text:gsub("<", "\\u003c"))
end

local Writing = {}
Writing.__index = Writing

function Writing:element(class, attributes, text)
  self.write(('<script type="text/plain" class="%s" %s>\n'):format(class, attributes))
  self.write(text)
  self.write "\n</script>\n"
end

-- What one workload's clients did; the picture of why its history is not linearizable stands apart.
function Writing:clients(theirs)
  local list = {}
  for number, one in ipairs(theirs) do
    local group = operations.columns(one)
    if one.verdict == false then
      self.pictures = self.pictures + 1
      group.picture = self.pictures
      self:element("picture", ('data-picture="%d"'):format(group.picture),
        harmless(self.encode(picture.html(one.history, one.explanation, one.name))))
    end
    list[number] = group
  end
  return list
end

function Writing:begin(event)
  self.count = self.count + 1
  self.run = runs.new(event, self.name)
  self.shown = 0
  self.columns = columns.new(function(text)
    self:element("chunk", ('data-run="%d"'):format(self.count - 1), text)
  end, function(value) return harmless(self.encode(value)) end)
end

-- The nodes' names, where a log has names for them.
local function names_of(run, nodes)
  if not run.names then
    return nil
  end
  local names = {}
  for position, id in ipairs(nodes) do
    names[position] = runs.node_name(run, id)
  end
  return names
end

function Writing:finish(is_last)
  self.columns:flush()
  local run, nodes = runs.sorted(self.run), {}
  for _, id in ipairs(run.nodes) do
    nodes[#nodes + 1] = self.choice:has_node(id) and id or nil
  end
  self:element("run", ('data-run="%d"'):format(self.count - 1), harmless(self.encode {
    name = run.name, mode = run.mode, seed = run.seed, nodes = nodes, events = self.shown, verdict = run.verdict,
    why = run.message, isLog = run.is_log or nil, names = names_of(run, nodes), violated = run.violated,
    clients = self:clients(histories.of_run(self.histories, self.count, is_last)), choice = self.choice:words(),
  }))
end

-- What an event came from is known by its place among those that are shown; false: it is left out.
function Writing:take(event)
  runs.take(self.run, event)
  local place = self.choice:takes(event) and self.shown + 1 or false
  local cause = self.links:see(place, event)
  if place then
    self.shown = place
    self.columns:add(event, cause or nil)
  end
end

--- Writes the page.
-- @tparam function events called once; returns an iterator. An event is a table as a trace's JSON line holds it
-- @tparam table options `write` function(text); `name` of a run that has none; `histories` and what raft.view.choose
-- takes: see raft.view.forms
-- @treturn integer how many events the trace has; 0: nothing was written
-- @treturn ?integer how many of them were asked for; nil: all
function html.render(events, options)
  local name = options.name ~= nil and options.name ~= "" and options.name or "run"
  local writing = setmetatable({
    write = options.write, encode = require("raft.core").json_encode, name = name, count = 0, pictures = 0,
    histories = options.histories,
    choice = choose.new(options), links = links.new(),
  }, Writing)
  local total, after = 0, nil
  for event in events() do
    if total == 0 then
      local before
      before, after = page(name)
      options.write(before)
    end
    total = total + 1
    if runs.begins(writing.run, event) then
      if writing.run then
        writing:finish(false)
      end
      writing:begin(event)
    end
    writing:take(event)
  end
  if total > 0 then
    writing:finish(true)
    options.write(after)
  end
  return total, writing.choice:total()
end

return html
