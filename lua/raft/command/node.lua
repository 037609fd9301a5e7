--- `raftbench node`: one server process.
-- @module raft.command.node

local report = require "raft.report"

local node = {}

local OK, FAILED, USAGE, CANNOT_RUN = 0, 1, 2, 3

local function id(text)
  local number = text:match "^%d+$" and tonumber(text)
  if not number or number < 1 or number >= 2 ^ 53 then
    return nil, "'" .. text .. "' is not an id, an integer from 1"
  end
  return number
end

local function peer(text)
  local number, address = text:match "^(%d+)=(.+)$"
  if not number or tonumber(number) < 1 then
    return nil, "'" .. text .. "' is not ID=ADDRESS, as in 2=127.0.0.1:7002"
  end
  return { id = tonumber(number), address = address }
end

local function seconds(text)
  local number = tonumber(text)
  if not number or not (number > 0) then
    return nil, "'" .. text .. "' is not a number of seconds"
  end
  return number
end

--- Adds this subcommand's options.
-- @param parser argparse's command
function node.describe(parser)
  parser:description "Run one server of a cluster, until SIGTERM or SIGINT end it in order."
  parser:option("--id", "The node's id, from 1."):argname("N"):convert(id):count(1)
  parser:option("--listen", "Where it listens."):argname("ADDRESS"):count(1)
  parser:option("--peer", "Another first member, once for each."):argname("ID=ADDRESS"):convert(peer):count("*")
  parser:flag("--join", "Wait to be added to a cluster, never start one.")
  parser:option("--dir", "Its files; without it all is in memory."):argname("DIR")
  parser:option("--cluster", "The cluster's name; nodes of another are refused."):argname("NAME")
  parser:option("--machine", "The Lua module of the state machine: it returns a function(id)."):argname("MODULE")
  parser:flag("--insecure", "Listen beyond this machine, unencrypted, on a network that you trust.")
  parser:option("--election-timeout", "The shortest and the longest, in seconds."):args(2):argname { "MIN", "MAX" }
    :convert(seconds)
  parser:option("--heartbeat", "Seconds between heartbeats."):argname("S"):convert(seconds)
  parser:option("--trace", "Write each event to this file, as JSON lines for raftbench view."):argname("FILE")
  parser:flag("--verbose", "Print each event as a readable line, to standard error.")
end

local function say(...)
  print(string.format(...))
  io.stdout:flush()
end

-- A machine's object of a module; nil: "kv". nil and a message where the module gives none.
local function machine_of(name, node_id)
  if not name or name == "kv" then
    return "kv"
  end
  local found, make = pcall(require, name)
  if not found then
    return nil, ("the module '%s' cannot be loaded: %s"):format(name, tostring(make):match "^[^\n]*")
  elseif type(make) ~= "function" then
    return nil, ("the module '%s' returns no function(id) that makes a machine"):format(name)
  end
  local fine, made = pcall(make, node_id)
  if not fine or type(made) ~= "table" then
    return nil, ("the module '%s' makes no machine: %s"):format(name, fine and type(made) or tostring(made))
  end
  return made
end

local function options_of(arguments, machine)
  local peers = {}
  for _, one in ipairs(arguments.peer) do
    peers[one.id] = one.address
  end
  return {
    id = arguments.id, listen = arguments.listen, peers = not arguments.join and peers or nil,
    join = arguments.join or false, dir = arguments.dir, cluster = arguments.cluster, machine = machine,
    insecure = arguments.insecure or false, election_timeout = arguments.election_timeout,
    heartbeat_interval = arguments.heartbeat, trace = arguments.trace,
  }
end

-- Says what happens; gives a function that tells why the node has failed, if it has.
local function listen_to(made, own_id)
  local problem
  made:on("role", function(role, term)
    if role == "leader" then
      say("node %d leads (term %d)", own_id, term)
    end
  end)
  made:on("leader", function(leader, term)
    if not leader then
      say("node %d knows no leader (term %d)", own_id, term)
    elseif leader ~= own_id then
      say("node %d follows node %d (term %d)", own_id, leader, term)
    end
  end)
  made:on("removed", function()
    say("node %d was removed from the cluster, and ends", own_id)
  end)
  made:on("notice", function(text)
    say("node %d: %s", own_id, text)
  end)
  made:on("error", function(message)
    problem = message
  end)
  return function()
    return problem
  end
end

--- Runs the node until it ends.
-- @tparam table arguments parsed
-- @treturn integer the exit code
function node.run(arguments)
  local defaults, loop, raft = require "raft.defaults", require "raft.loop", require "raft"
  if arguments.join and #arguments.peer > 0 then
    report.problem "--join and --peer exclude each other: a node that joins learns its peers from the cluster"
    return USAGE
  end
  defaults.set("verbose", arguments.verbose)
  local machine, problem = machine_of(arguments.machine, arguments.id)
  if not machine then
    report.problem(problem)
    return CANNOT_RUN
  end
  local fine, made, message = pcall(raft.node, options_of(arguments, machine))
  if not fine then
    report.problem((tostring(made):gsub("^[^\n]-:%d+: ", "")))
    return USAGE
  elseif not made then
    report.problem(message)
    return CANNOT_RUN
  end
  local failure = listen_to(made, arguments.id)
  local started, why = made:start()
  if not started then
    report.problem(why)
    return CANNOT_RUN
  end
  say("node %d listens on %s", arguments.id, made:status().address)
  loop.run_until_signal()
  if failure() then
    report.problem(("node %d has failed: %s"):format(arguments.id, failure()))
    return FAILED
  end
  say("node %d has ended", arguments.id)
  return OK
end

return node
