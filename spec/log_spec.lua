-- `raftbench log`: what a directory holds, as text and as JSON; damage is told, and nothing is changed.
local clusters = require "spec.support.clusters"
local command = require "spec.support.command"
local core = require("raft").core
local lu = require "luaunit"

local tests = {}

-- A cluster's files below the folder, after a run.
local function leave_files(folder, options)
  clusters.with(clusters.merge({ mode = "tcp", dir = folder .. "/data" }, options), function(c)
    c:wait_leader()
    for number = 1, 30 do
      assert(c:set("a", number))
    end
    if options and options.nodes == 1 then
      assert(c:compact(1))
      assert(c:set("b", 1))
    end
    c:crash "all"
  end)
  return folder .. "/data/1"
end

local function damage(path, offset)
  local text = command.read(path)
  command.write(path, text:sub(1, offset) .. string.char((text:byte(offset + 1) + 1) % 256) .. text:sub(offset + 2))
end

command.add(tests, "InWords", function(folder)
  local directory = leave_files(folder)
  local before = command.read(directory .. "/log-0000000001")
  local result = command.run { "log", directory }
  lu.assertEquals(result.code, 0, result.err)
  lu.assertStrContains(result.lines[1], directory .. ': node 1 of the cluster "cluster", directory number ')
  lu.assertStrContains(result.out, "  log-0000000001  ")
  lu.assertStrMatches(result.out, ".*the log holds entries 1 to 3%d\n.*")
  lu.assertStrContains(result.out, "first members: voters 1, 2, 3")
  lu.assertEquals(result.lines[#result.lines], "sound")
  lu.assertEquals(command.read(directory .. "/log-0000000001"), before)
end)

command.add(tests, "AsJsonWithRecords", function(folder)
  local result = command.run { "log", leave_files(folder), "--json", "--records" }
  lu.assertEquals(result.code, 0, result.err)
  local found = core.json_decode(result.out)
  lu.assertTrue(found.sound)
  lu.assertEquals(found.problems, {})
  lu.assertEquals(found.log.first_index, 1)
  lu.assertEquals(found.log.first_members.voters, { 1, 2, 3 })
  lu.assertEquals({ found.segments[1].id, found.segments[1].cluster }, { 1, "cluster" })
  local commands = 0
  for _, record in ipairs(found.records) do
    commands = commands + (record.type == "entry" and record.kind == "command" and 1 or 0)
  end
  lu.assertEquals(commands, 30)
end)

command.add(tests, "Snapshots", function(folder)
  local directory = leave_files(folder, { nodes = 1 })
  local result = command.run { "log", directory }
  lu.assertEquals(result.code, 0, result.out)
  lu.assertStrMatches(result.out, ".*  snapshot%-%d+  %d+ bytes, covers entry 3%d of term %d+; voters 1\n.*")
  local name = result.out:match "snapshot%-%d+"
  damage(directory .. "/" .. name, 60)
  result = command.run { "log", directory }
  lu.assertEquals(result.code, 1)
  lu.assertStrContains(result.out, "DAMAGED " .. name)
end)

command.add(tests, "DamageIsTold", function(folder)
  local directory = leave_files(folder)
  damage(directory .. "/log-0000000001", 2048 + 7)
  local result = command.run { "log", directory }
  lu.assertEquals(result.code, 1)
  lu.assertStrContains(result.out, "DAMAGED log-0000000001 at byte 2048: the checksum of a sector is wrong")
  local found = core.json_decode(command.run({ "log", directory, "--json" }).out)
  lu.assertFalse(found.sound)
  lu.assertEquals({ found.problems[1].file, found.problems[1].offset }, { "log-0000000001", 2048 })
end)

command.add(tests, "WhatIsNoDirectory", function(folder)
  local result = command.run { "log", folder .. "/none" }
  lu.assertEquals(result.code, 3)
  lu.assertStrContains(result.err, "cannot be read")
  result = command.run { "log", folder }
  lu.assertEquals(result.code, 0)
  lu.assertStrContains(result.out, "holds no log")
end)

return tests
