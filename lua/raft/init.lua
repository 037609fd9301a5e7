--- Raftbench: a workbench for the Raft consensus algorithm.
--
--     local raft = require "raft"
--     local c = raft.cluster { nodes = 3 }
--     assert(c:set("answer", 42))
--     print(c:get "answer")
--
-- @module raft

local pairs = pairs -- under `strict` the global one raises inside apply, where raft.sorted is called

local arguments = require "raft.arguments"
local core = require "raft.core"
local loop = require "raft.loop"
local source = require "raft.script.source"

local raft = {
  --- This release, as text.
  version = core.version,
  --- JSON's null, a value of its own: a Lua nil is no value.
  null = core.null,
  --- The C module, for specs and the curious.
  core = core,
  --- A whole cluster in a world; see raft.cluster.
  cluster = require("raft.cluster").new,
  --- One replica, for an application; see raft.node.
  node = require("raft.node").new,
  --- Whether a history of clients is linearizable; see raft.linearizable.
  linearizable = require("raft.linearizable").check,
  --- Drives the loop of an application's nodes, where it has none; see raft.loop.
  run = loop.run,
  --- Ends raft.run.
  stop = loop.stop,
  --- Joins the application's luv loop; see raft.attach.
  attach = require "raft.attach",
  --- For any other loop: the descriptor to poll, what for, how long, and what to do then; see raft.loop.
  pollfd = loop.pollfd,
  events = loop.events,
  timeout = loop.timeout,
  step = loop.step,
  --- A prompt in the middle of a script, with a cluster at hand as `c`. The script goes on when it ends.
  --- What `--set parameters.NAME=VALUE` gave to a spec or a script, by name.
  parameters = {},
  --- What an event is: the names of all kinds, and of all fields that a filter can ask for; `help(raft.event)`.
  event = { kinds = core.event_kinds(), fields = source.keys(require("raft.filters").fields()) },
  --- The checks as LuaUnit-style assertions; see raft.assert.
  assert = require "raft.assert",
}

--- A prompt in the middle of a script, with a cluster at hand as `c`. The script goes on when it ends.
-- @tparam ?raft.cluster c nil: the one opened last, or a new one of three nodes, which is shut down at the end
function raft.shell(c)
  return require("raft.shell").open(c, raft)
end

--- Where two clusters differ: a fork and its origin, say. `print(raft.diff(c, d))` shows it as a table.
-- @tparam raft.cluster c
-- @tparam raft.cluster d
-- @treturn raft.difference[] list of { node (0: the world), field, c's value, d's value }; empty: no difference
function raft.diff(c, d)
  for name, cluster in raft.sorted { c = c or false, d = d or false } do
    local metatable = getmetatable(cluster)
    if type(metatable) ~= "table" or metatable.__name ~= "raft.cluster" then
      arguments.fail(name, "a cluster", cluster or nil)
    end
  end
  return require("raft.diff").of(c, d)
end

--- Runs a scenario under many seeds in worker processes, as `raftbench fuzz` does.
-- @tparam raft.fuzz_options options
-- @treturn ?raft.fuzz_report nil and a message where the scenario cannot be run
function raft.fuzz(options)
  return require("raft.fuzz").run(options)
end

--- As `pairs`, in an order that is the same in every run: numbers, then strings, then booleans, each rising. `pairs`
-- itself goes through a table in an order of the process's own, so that a script that decides by it is not the same
-- under the same seed. Keys of other types raise an error: they have no such order.
-- @tparam table t
-- @treturn fun():any,any to be used as `for key, value in raft.sorted(t) do`
function raft.sorted(t)
  if type(t) ~= "table" then
    arguments.fail("t", "a table", t)
  end
  for key in pairs(t) do
    local kind = type(key)
    if kind ~= "number" and kind ~= "string" and kind ~= "boolean" then
      arguments.fail("t", "numbers, strings and booleans as keys", key)
    end
  end
  local keys, position = source.keys(t), 0
  return function()
    position = position + 1
    local key = keys[position]
    return key, t[key]
  end
end

--- Reads a history of what clients asked and were told: JSON lines, as `history:write` makes them, or Jepsen's EDN.
-- @tparam string path
-- @tparam ?fun(done:integer,all:integer) progress called now and then with the bytes that were read, and all
-- @treturn ?raft.history the history; where the file cannot be read or is no history nil, message (with line and
-- column), "storage", detail
function raft.read_history(path, progress)
  arguments.text("path", path)
  if progress ~= nil then
    arguments.callable("progress", progress)
  end
  return require("raft.history.read").file(path, progress)
end

return raft --[[@as raft.module]]
