--- Raftbench: a workbench for the Raft consensus algorithm.
--
--     local raft = require "raft"
--     local c = raft.cluster { nodes = 3 }
--     assert(c:set("answer", 42))
--     print(c:get "answer")
--
-- @module raft

local core = require "raft.core"

local raft = {
  --- This release, as text.
  version = core.version,
  --- JSON's null, a value of its own: a Lua nil is no value.
  null = core.null,
  --- The C module, for specs and the curious.
  core = core,
  --- A whole cluster in a world; see raft.cluster.
  cluster = require("raft.cluster").new,
  --- The checks as LuaUnit-style assertions; see raft.assert.
  assert = require "raft.assert",
}

return raft
