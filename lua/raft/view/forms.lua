--- The forms of a diagram: what they are called, and the endings of files that are in that form.
--
-- A form NAME is a module raft.view.NAME with `render(events, options)` → how many events the trace has, and how many
-- of them were asked for (nil: all). `events()` begins an iterator of events as a trace's lines hold them; it may be
-- called again.
-- Options: `write` function(text), `name` of a run that has none, `from`, `to`, `nodes`, `kinds` (raft.view.choose),
-- `width`, `colour`, `all` (of the table), `tell` function(text) for what the user should know beside the diagram,
-- `histories` (of forms that show them) list of { history, kind, verdict = true, false or nil, explanation, name, run =
-- the number of its run, nil: the last }.
-- @module raft.view.forms

local forms = {}

-- `histories` = true: it shows them.
local list = {
  { name = "table", endings = { "txt" }, module = function() return require "raft.view.table" end },
  { name = "html", endings = { "html", "htm" }, histories = true, module = function()
    return require "raft.view.html"
  end },
  { name = "shiviz", endings = { "shiviz" }, module = function() return require "raft.view.shiviz" end },
  { name = "perfetto", endings = { "json" }, histories = true, module = function()
    return require "raft.view.perfetto"
  end },
  { name = "svg", endings = { "svg" }, module = function() return require "raft.view.svg" end },
}

--- The names, the default first.
-- @treturn table list of strings
function forms.names()
  local names = {}
  for position, form in ipairs(list) do
    names[position] = form.name
  end
  return names
end

local function find(name)
  for _, form in ipairs(list) do
    if form.name == name then
      return form
    end
  end
  return nil
end

--- Whether there is such a form.
-- @param name
-- @treturn boolean
function forms.has(name)
  return find(name) ~= nil
end

--- The form of a file by the ending of its name.
-- @tparam ?string path nil: standard output
-- @treturn string the default where the ending says nothing
-- @treturn boolean whether it has an ending that is no form's
function forms.of_path(path)
  local ending = path and path:match("[^/.]%.(%w+)$")
  for _, form in ipairs(list) do
    for _, one in ipairs(form.endings) do
      if ending and one == ending:lower() then
        return form.name, false
      end
    end
  end
  return list[1].name, ending ~= nil
end

--- The endings of all forms.
-- @treturn table list of strings
function forms.endings()
  local all = {}
  for _, form in ipairs(list) do
    for _, one in ipairs(form.endings) do
      all[#all + 1] = "." .. one
    end
  end
  return all
end

--- How the name of a file in a form ends, without the dot.
-- @tparam string name of the form
-- @treturn string
function forms.ending(name)
  return find(name).endings[1]
end

--- Whether a form shows the histories of clients.
-- @tparam string name
-- @treturn boolean
function forms.shows_histories(name)
  return find(name).histories == true
end

--- Draws.
-- @tparam string name of the form
-- @tparam function events as above
-- @tparam table options as above
-- @treturn integer how many events the trace has
-- @treturn ?integer how many of them were asked for; nil: all
function forms.render(name, events, options)
  return find(name).module().render(events, options)
end

--- Draws into a file; where that cannot be written, nothing is left of it.
-- @tparam string name of the form
-- @tparam function events as above
-- @tparam table options as above, without `write`
-- @tparam string path
-- @treturn ?integer how many events the trace has; nil and a message where it cannot be written
function forms.to_file(name, events, options, path)
  local file, problem = io.open(path, "w")
  if not file then
    return nil, problem
  end
  local given = { write = function(text)
    if not problem then
      local fine, why = file:write(text)
      problem = not fine and tostring(why) or nil
    end
  end }
  for key, value in pairs(options) do
    given[key] = value
  end
  local count = forms.render(name, events, given)
  local fine, why = file:close()
  if problem or not fine or count == 0 then
    os.remove(path)
    return count == 0 and 0 or nil, ("%s cannot be written: %s"):format(path, problem or tostring(why))
  end
  return count
end

return forms
