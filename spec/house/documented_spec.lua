-- All that is public is documented: each function has a comment that tells each parameter with its type, and an entry
-- in lua/raft/annotations for editors; it and each option of raft.cluster and raft.node are in lua/README.md, each
-- subcommand and flag of raftbench in scripts/README.md; what src/README.md names is where it says.
local annotations = require "scripts.dev.annotations"
local lu = require "luaunit"
local public = require "scripts.dev.public"

local tests = {}

local faults = {}
local function fault(place, text, ...)
  faults[#faults + 1] = place .. ": " .. text:format(...)
end

-- The faults so far, which are then forgotten.
local function assert_no_fault()
  local text = table.concat(faults, "\n")
  faults = {}
  lu.assertEquals(text, "")
end

local function read(path)
  local file = assert(io.open(path, "r"))
  local text = file:read "a"
  file:close()
  return text
end

local readme = read "lua/README.md"
local command_readme = read "scripts/README.md"

-- ---- functions -------------------------------------------------------------------------------------

local function check_parameters(place, name, entry)
  local names = public.parameters(entry)
  for position = 1, math.max(#names, #entry.parameters) do
    local parameter = entry.parameters[position]
    if not parameter then
      fault(place, "%s: the parameter '%s' is not documented", name, names[position])
    elseif parameter.name ~= names[position] then
      fault(place, "%s: the parameter %d is '%s', not '%s'", name, position, tostring(names[position]), parameter.name)
      return
    elseif not parameter.kind then
      fault(place, "%s: the parameter '%s' needs a type (@tparam)", name, parameter.name)
    end
  end
end

local function check_function(class, one)
  local place = ("%s:%d"):format(one.path:gsub("^@", ""), one.line)
  local name = class.name .. class.separator .. one.name
  local entry = public.entry(one)
  if not entry or not entry.is_ldoc or entry.text == "" then
    fault(place, "%s has no comment (---)", name)
    return
  end
  check_parameters(place, name, entry)
  if not readme:find("[%.:`]" .. one.name .. "[%({`]") then
    fault("lua/README.md", "there is no %s", name)
  end
end

local function check_classes()
  for _, class in ipairs(public.classes()) do
    for _, one in ipairs(class.functions) do
      check_function(class, one)
    end
  end
  for _, field in ipairs(public.fields()) do
    if not field.text then
      fault("lua/raft/init.lua", "raft.%s has no comment (---)", field.name)
    end
  end
end

-- Function → whether it has a comment, of a file of the C module's functions; added to `entries`.
local function read_entries(path, entries)
  local above = ""
  for line in io.lines(path) do
    local name = line:match "^function ([%w_]+[%.:][%w_]+)%("
    if name then
      entries[name] = above:find "^%-%-%-" ~= nil
    end
    above = line
  end
end

-- The C module's functions against the library's files of them, both ways.
local function check_core()
  local path = "lua/raft/annotations/core.lua"
  local entries = {}
  read_entries(path, entries)
  read_entries("lua/raft/annotations/core_replicas.lua", entries)
  for _, name in ipairs(public.core_functions()) do
    if entries[name] == nil then
      fault(path, "there is no %s", name)
    elseif not entries[name] then
      fault(path, "%s has no comment (---)", name)
    end
    entries[name] = nil
  end
  for name in pairs(entries) do
    fault(path, "raft.core has no %s", name)
  end
end

-- ---- options -----------------------------------------------------------------------------------------

-- The fields of a class in types.lua, its parents' too.
local function fields_of(class)
  local fields, inside = {}, false
  for line in io.lines "lua/raft/annotations/types.lua" do
    local name, parent = line:match "^%-%-%-@class ([%w_%.]+):? ?([%w_%.]*)"
    if name then
      inside = name == class
      if inside and parent ~= "" then
        for field in pairs(fields_of(parent)) do
          fields[field] = true
        end
      end
    elseif inside then
      fields[line:match "^%-%-%-@field ([%w_]+)" or ""] = true
    end
  end
  fields[""] = nil
  return fields
end

-- All that stands in backquotes in lines that fit.
local function quoted_in(fits)
  local found = {}
  for line in readme:gmatch "[^\n]+" do
    for text in (fits(line) or ""):gmatch "`([^`]+)`" do
      found[text] = true
    end
  end
  return found
end

local function check_options(what, known, class, documented)
  local fields = fields_of(class)
  for name in pairs(known) do
    if not documented[name] then
      fault("lua/README.md", "the option '%s' of %s is not in its table", name, what)
    end
    if not fields[name] then
      fault("lua/raft/annotations/types.lua", "%s has no field '%s'", class, name)
    end
    fields[name] = nil
  end
  for name in pairs(fields) do
    fault("lua/raft/annotations/types.lua", "%s has the field '%s', which %s does not know", class, name, what)
  end
end

local function check_all_options()
  check_options("raft.cluster", require("raft.options").known, "raft.cluster_options", quoted_in(function(line)
    return line:match "^| (`[%w_`, ]+) |"
  end))
  check_options("raft.node", require("raft.node.options").known, "raft.node_options", quoted_in(function(line)
    return line:match "^| `raft%.node%(options%)`[^|]*|(.*)$"
  end))
end

-- ---- the command ---------------------------------------------------------------------------------------

-- What a subcommand says to argparse: the flags that are not hidden.
local function flags_of(module)
  local flags, last = {}, nil
  local recorder = setmetatable({}, { __index = function(_, method)
    return function(self, text)
      if method == "option" or method == "flag" then
        last = text
        flags[#flags + 1] = text
      elseif method == "hidden" and flags[#flags] == last then
        flags[#flags] = nil
      end
      return self
    end
  end })
  module.describe(recorder)
  return flags
end

local function rows_about(name)
  local rows = {}
  for line in command_readme:gmatch "[^\n]+" do
    if line:find("^| `raftbench " .. name .. "[ `]") then
      rows[#rows + 1] = line
    end
  end
  return table.concat(rows, "\n")
end

local function check_command()
  for _, name in ipairs(require("raft.command").subcommands) do
    local rows = rows_about(name)
    if rows == "" then
      fault("scripts/README.md", "no table has a row for `raftbench %s`", name)
    else
      for _, names in ipairs(flags_of(require("raft.command." .. name))) do
        for flag in names:gmatch "%S+" do
          if not rows:find("`" .. flag:gsub("%-", "%%-") .. "[ `]") then
            fault("scripts/README.md", "the row for `raftbench %s` lacks %s", name, flag)
          end
        end
      end
    end
  end
end

-- ---- the journey ---------------------------------------------------------------------------------------

local texts = {} -- path -> its text; false: there is none

local function text_of(path)
  if texts[path] == nil then
    local file = io.open(path, "r") or io.open("src/" .. path, "r")
    texts[path] = file and file:read "a" or false
    if file then
      file:close()
    end
  end
  return texts[path]
end

local function check_names(line, names, path)
  local text = text_of(path)
  if not text then
    fault("src/README.md:" .. line, "there is no %s", path)
    return
  end
  for name in names:gmatch "`([%w_:]+)`" do
    if not text:find("%f[%w_]" .. name .. "%f[^%w_]") then
      fault("src/README.md:" .. line, "there is no %s in %s", name, path)
    end
  end
end

-- "`f`, `g` in `room/file.c`": they are there. Every other file that is named is there, too.
local function check_journey()
  local number = 0
  for line in io.lines "src/README.md" do
    number = number + 1
    for names, path in line:gmatch "(`[%w_:`, ]+`) in `([%w_/]+%.%a+)`" do
      check_names(number, names, path)
    end
    for path in line:gmatch "`([%w_/]+/[%w_]+%.%a+)`" do
      check_names(number, "", path)
    end
  end
end

function tests.test_Functions()
  check_classes()
  check_core()
  assert_no_fault()
end

function tests.test_Options()
  check_all_options()
  assert_no_fault()
end

-- Editors, filters and the README know the same fields of events.
function tests.test_EventFields()
  local known, written = require("raft.filters").fields(), fields_of "raft.event"
  for name in pairs(known) do
    if not written[name] then
      fault("lua/raft/annotations/types.lua", "raft.event has no field '%s'", name)
    end
  end
  for name in pairs(written) do
    if not known[name] then
      fault("lua/raft/filters.lua", "the field '%s' of raft.event is not known", name)
    end
  end
  assert_no_fault()
end

-- What each file in C is for stands in a header of its room, or it is named there beside what it does.
function tests.test_EachFileInCIsNamedInAHeaderOfItsRoom()
  local headers, files = {}, {}
  local pipe = assert(io.popen "find src -name '*.[ch]' | LC_ALL=C sort")
  for path in pipe:lines() do
    local room, name = path:match "^(.*)/([^/]*)$"
    if name:find "%.h$" then
      headers[room] = (headers[room] or "") .. read(path)
    else
      files[#files + 1] = { path = path, room = room, name = name }
    end
  end
  pipe:close()
  for _, file in ipairs(files) do
    if not (headers[file.room] or ""):find("%f[%w_]" .. file.name:gsub("%.", "%%.") .. "%f[^%w_]") then
      fault(file.path, "no header of %s names it", file.room)
    end
  end
  lu.assertTrue(#files > 200)
  assert_no_fault()
end

function tests.test_TheCommand()
  check_command()
  assert_no_fault()
end

function tests.test_TheJourneyInSrc()
  check_journey()
  assert_no_fault()
end

-- `make annotations` makes them anew.
function tests.test_WhatEditorsReadIsUpToDate()
  for _, file in ipairs(annotations.render()) do
    if read(file.path) ~= file.text then
      fault(file.path, "not what the comments in lua/raft say: make annotations")
    end
  end
  assert_no_fault()
end

function tests.test_WhatEditorsReadIsNeverLoaded()
  for name in pairs(package.loaded) do
    lu.assertNil(name:match "^raft%.annotations")
  end
end

return tests
