--- The shell's commands that look at the cluster.
-- @module raft.shell.commands.looking

local core = require "raft.core"
local display = require "raft.view.display"
local draw = require "raft.shell.draw"
local files = require "raft.files"
local forms = require "raft.view.forms"
local show = require "raft.shell.show"
local terminal = require "raft.view.terminal"
local watch = require "raft.shell.watch"
local words = require "raft.shell.words"

local looking = { title = "looking" }

local LINES_DEFAULT = 15

table.insert(looking, {
  name = "status", usage = ":status", text = "draws the cluster: roles, terms, logs, faults",
  more = "Each letter is an entry of a log; which term a letter is stands below",
  run = function(session, cluster)
    return draw(cluster, session:width(), terminal.wants_colour())
  end,
})

table.insert(looking, {
  name = "leader", usage = ":leader", text = "waits until there is a leader, and names it",
  run = function(session, cluster)
    local leader, term = session:call(cluster, "wait_leader", { n = 0 })
    return leader and ("node %d leads term %d"):format(leader, term) or term
  end,
})

table.insert(looking, {
  name = "nodes", usage = ":nodes", text = "tells of each node in a line: what it does and where it is",
  run = function(_, cluster)
    local lines = {}
    for _, status in ipairs(cluster:status()) do
      local state = status.state == "running" and tostring(status.role):gsub("_", "-")
        or status.role and status.role .. ", " .. status.state or status.state
      lines[#lines + 1] = ("node %d: %s%s%s%s"):format(status.id, state,
        status.leader and status.leader > 0 and status.leader ~= status.id
          and (", follows node %d in term %d"):format(status.leader, status.term) or "",
        status.address and status.address ~= "" and ", " .. status.address or "",
        status.pid and (", process %d"):format(status.pid) or "")
    end
    return table.concat(lines, "\n")
  end,
})

-- ---- a log ------------------------------------------------------------------------------------

local function entry_words(entry, width)
  local what = entry.command ~= nil and show.value(entry.command, width) or entry.kind
  return display.clean((what:gsub("%s*\n%s*", " ")))
end

local function log_lines(entries, commit, count, width)
  local lines = {}
  local first = math.max(1, #entries - count + 1)
  if first > 1 then
    lines[1] = ("... %d entries before"):format(first - 1)
  end
  for position = first, #entries do
    local entry = entries[position]
    local mark = commit and (entry.index <= commit and "committed  " or "-          ") or ""
    local line = ("%6d  term %-4d %s%s"):format(entry.index, entry.term, mark, entry_words(entry, 1000))
    lines[#lines + 1] = display.width(line) <= width and line or display.wrap(line, width - 3)[1] .. "..."
  end
  return table.concat(lines, "\n")
end

table.insert(looking, {
  name = "log", usage = ":log NODE [COUNT]", example = ":log 2, :log leader 50", takes = "nodes",
  text = "shows the latest entries of a node's log; of a crashed node what its disk holds",
  run = function(session, cluster, rest)
    local word, count = rest:match "^(%S*)%s*(%d*)$"
    local which, as_source = words.nodes(word or "", cluster)
    if which == nil then
      return nil, as_source
    elseif type(which) ~= "number" then
      return nil, "one node at a time"
    end
    local entries, problem = session:call(cluster, "log", { which, n = 1 }, { as_source })
    if not entries then
      return problem
    elseif #entries == 0 then
      return ("the log of node %d is empty"):format(which)
    end
    return log_lines(entries, cluster:status(which, "commit"), tonumber(count) or LINES_DEFAULT, session:width())
  end,
})

-- ---- events -----------------------------------------------------------------------------------

-- What is shown where nothing is asked for: not each message and each write.
local usual_kinds = { "start", "stop", "role", "vote", "truncate", "commit", "snapshot", "install", "members", "fault",
  "note", "notice", "violation" }
local all_kinds = core.event_kinds()

local is_kind = {}
for _, kind in ipairs(all_kinds) do
  is_kind[kind] = true
end

-- "role 2 term=3" as a filter; nil and why not.
local function filter_of(list)
  local filter, kinds, count = {}, {}, LINES_DEFAULT
  for _, word in ipairs(list) do
    local name, value = word:match "^([%a_]+)=(.+)$"
    if is_kind[word] then
      kinds[#kinds + 1] = word
    elseif word == "all" then
      kinds.all = true
    elseif word:find "^%d+$" then
      filter.node = tonumber(word)
    elseif name == "last" and value:find "^%d+$" then
      count = tonumber(value)
    elseif name then
      filter[name] = words.value(value)
    else
      return nil, ("'%s' is no kind of events (they are %s)"):format(word, table.concat(all_kinds, ", "))
    end
  end
  if not kinds.all then
    filter.kind = #kinds == 1 and kinds[1] or #kinds > 1 and kinds or usual_kinds
  end
  return filter, count
end

table.insert(looking, {
  name = "trace", usage = ":trace [all] [KIND...] [NODE] [FIELD=VALUE...] [last=N]",
  example = ":trace, :trace role commit, :trace 2 send term=3 last=50",
  text = "shows the latest events, those of some kinds, of one node, or with a field that has a value",
  more = "Without a kind it leaves out messages and writes; help \"events\" tells the kinds and fields",
  takes = function(cluster)
    local list = { "all", "last=" }
    for _, kind in ipairs(all_kinds) do
      list[#list + 1] = kind
    end
    for _, id in ipairs(cluster and cluster:ids() or {}) do
      list[#list + 1] = ("%d"):format(id)
    end
    return list
  end,
  run = function(session, cluster, rest)
    local filter, count = filter_of(words.split(rest))
    if not filter then
      return nil, count
    end
    local texts = filter.kind == usual_kinds and next(filter, "kind") == nil
      and { '{ kind = { "role", "commit", "fault", ... } }' } or nil
    local events = session:call(cluster, "events", { next(filter) ~= nil and filter or nil, n = 1 }, texts)
    local lines = {}
    for position = math.max(1, #events - count + 1), #events do
      lines[#lines + 1] = tostring(events[position])
    end
    return #lines > 0 and table.concat(lines, "\n") or "there was no such event"
  end,
})

table.insert(looking, {
  name = "watch", usage = ":watch [on|off]", text = "shows elections, crashes and commits as they happen",
  takes = { "on", "off" }, alone = true,
  run = function(session, cluster, rest)
    local wanted = rest
    if rest == "" then
      wanted = session.watch and "off" or "on"
    elseif rest ~= "on" and rest ~= "off" then
      return nil, ":watch on, or :watch off"
    end
    session:stop_watching()
    if wanted == "off" then
      return "no longer watching"
    elseif not cluster then
      return "there is no cluster to watch"
    end
    session.watch = watch.open(cluster, function(text) session.lines:write(text) end)
    return ("watching %s; :watch off ends it"):format(tostring(cluster))
  end,
})

-- ---- the diagram ------------------------------------------------------------------------------

-- The first name of this kind that no file has.
local function free_name(form)
  for number = 1, 9999 do
    local path = ("raftbench-%d.%s"):format(number, forms.ending(form))
    if not files.is_there(path) then
      return path
    end
  end
  return "raftbench." .. forms.ending(form)
end

-- Opens a page where there is a display; what came of it.
local function open_page(path)
  local has_display = (os.getenv "DISPLAY" or "") ~= "" or (os.getenv "WAYLAND_DISPLAY" or "") ~= ""
  if not has_display then
    return "open it in a browser"
  end
  local quoted = require("raft.quote").word(path)
  local found = os.execute("command -v xdg-open >/dev/null 2>&1 && (xdg-open " .. quoted .. " >/dev/null 2>&1 &)")
  return (found == true or found == 0) and "opening it" or "open it in a browser"
end

table.insert(looking, {
  name = "view", usage = ":view [" .. table.concat(forms.names(), "|") .. "] [FILE]",
  example = ":view, :view table, :view svg run.svg",
  text = "draws the run so far as a diagram into a file, and opens it where there is a display",
  more = "Without a form it is a page for a browser; :view table without a file shows the table here",
  takes = function() return forms.names() end,
  run = function(session, cluster, rest)
    local list = words.split(rest)
    local form = forms.has(list[1]) and table.remove(list, 1) or nil
    local path = table.remove(list, 1)
    if #list > 0 then
      return nil, ("'%s' is neither a form nor the name of a file"):format(list[1])
    end
    if form == "table" and not path then
      return (session:call(cluster, "view", { "table", n = 1 }))
    end
    form = form or path and forms.of_path(path) or (forms.has "html" and "html" or "table")
    path = path or free_name(form)
    local fine, problem = session:call(cluster, "view", { form, path, n = 2 })
    if not fine then
      return problem
    end
    local is_page = form == "html" or form == "svg"
    return "the diagram is in " .. path .. (is_page and ": " .. open_page(path) or "")
  end,
})

return looking
