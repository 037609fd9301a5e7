-- The bare core, the harness of several, the checker and the encodings (raft.core), with events and messages that are
-- mostly right: the fuzzer spoils them.
local raft = require "raft"
local values = require "spec.face_fuzz.values"

local core = raft.core

local cores = {}

local kinds = { "pre_vote", "pre_vote_response", "vote", "vote_response", "append", "append_response", "read",
  "read_response", "timeout_now", "timeout_now_response", "snapshot", "nonsense" }

local function small(random)
  return random:any { 0, 1, 2, 3, 4, 7, 2 ^ 53 - 1, -1 }
end

local function entries(random)
  local list = {}
  for position = 1, random:below(4) do
    list[position] = random:any {
      { term = small(random) }, { term = 1, command = values.value(random) }, { command = "x" },
      { term = 1, members = { voters = { 1, small(random) }, learners = {} } }, values.odd(random) or {},
    }
  end
  return list
end

local function message(random)
  local made = {
    kind = random:any(kinds), from = small(random), to = small(random), term = small(random),
    prev_index = small(random), prev_term = small(random), commit = small(random), index = small(random),
    hint_index = small(random), hint_term = small(random), sequence = small(random), reject = random:one_in(2),
    force = random:one_in(2), quiet = random:one_in(2), entries = entries(random),
  }
  if random:one_in(4) then
    made[random:any { "kind", "from", "term", "entries", "prev_index", "reject", "to" }] = values.odd(random)
  end
  return made
end

local function event(random)
  local made = {
    kind = random:any { "tick", "flush", "message", "submit", "persisted", "change", "read", "campaign", "heartbeat",
      "transfer" },
    message = message(random), entries = entries(random), read_id = small(random), force = random:one_in(2),
    configuration = { voters = { 1, 2, random:below(4) + 2 }, learners = random:one_in(2) and { 5 } or nil },
    now_ns = random:one_in(3) and random:below(10) * 100000000 or nil, sequence = small(random),
    target = small(random),
  }
  if random:one_in(4) then
    made[random:any { "kind", "message", "entries", "configuration", "sequence", "now_ns", "read_id", "target" }] =
      values.odd(random)
  end
  return made
end

local function options(random)
  local made = { voters = { 1, 2, 3 }, id = random:below(3) + 1, term = random:below(3), log = entries(random) }
  if random:one_in(3) then
    made[random:any { "voters", "learners", "id", "term", "vote", "log", "window", "seed", "max_message_bytes",
      "election_timeout_min_ns", "heartbeat_interval_ns", "election_collisions" }] = values.odd(random)
  end
  return made
end

local function trace_event(random)
  local made = {
    kind = random:any { "start", "stop", "role", "vote", "send", "append", "truncate", "write", "sync", "match",
      "commit", "apply", "members", "read", "confirm", "install", "snapshot", "restore", "receive", "notice", "fault",
      "nonsense" },
    time_ns = random:below(100), node = random:below(4), peer = random:below(4), term = small(random),
    index = small(random), first = small(random), last = small(random), hash = random:below(3),
    role = random:any { "leader", "follower", "candidate" }, message = random:any(kinds), flag = random:one_in(2),
    entries = random:one_in(2) and { { 1, 2 }, { 2, 3 } } or nil, commit = small(random), prev_term = small(random),
  }
  if random:one_in(5) then
    made[random:any { "kind", "entries", "node", "term", "hash", "members", "role" }] = values.odd(random)
  end
  return made
end

local encodings = { "value_problem", "value_encode", "value_decode", "event_phrase", "value_words", "json_encode",
  "json_decode", "crc32c", "message_encode", "message_decode", "frame_check", "frame" }

local function bytes(random)
  return random:any { "", "\0", "\161ab", ("\129"):rep(200), "{", '{"a":1}', '{"kind":"stop"}', ("\255"):rep(40),
    "[[[[", '"\\ud800"', "\27\255\255\255\255\255\255\255\255" }
end

-- try(what, f, ...) calls it, and judges what it raises.
function cores.session(random, try, count)
  local replica, several, checker
  try("core.replica", function() replica = core.replica(options(random)) end)
  try("core.cores", function() several = core.cores() end)
  try("core.checker", function() checker = core.checker(random:one_in(2) and { gaps = true } or nil) end)
  for _ = 1, 3 do
    try("cores:add", function() several:add(options(random)) end)
  end
  for _ = 1, count do
    local kind = random:below(12)
    if kind < 5 and replica then
      local given = event(random)
      try("replica:step", replica.step, replica, given)
    elseif kind < 6 and replica then
      local name = random:any { "status", "log", "members", "hash", "copy" }
      try("replica:" .. name, replica[name], replica, values.odd(random))
    elseif kind < 9 and several then
      local name = random:any { "step", "state", "set_slow", "confirm", "messages", "oldest", "under_way", "deliver",
        "drop", "send", "cut", "heal", "flush", "settle", "pass", "now_ns", "hash", "copy", "replica" }
      if name == "step" then
        try("cores:step", several.step, several, random:below(4), event(random))
      elseif name == "send" then
        try("cores:send", several.send, several, message(random))
      elseif name == "pass" then
        try("cores:pass", several.pass, several, random:any { 0, 1000000, 200000000, -1, "x" }, random:below(4))
      else
        local first = random:any { small(random), values.odd(random) }
        try("cores:" .. name, several[name], several, first, values.odd(random))
      end
    elseif kind < 10 and checker then
      try("checker:event", checker.event, checker, trace_event(random))
    else
      local name = random:any(encodings)
      local first = random:any { bytes(random), values.odd(random) or 1, message(random), trace_event(random) }
      try("core." .. name, core[name], first, random:any { 1, 2, "x", -1 }, bytes(random), small(random))
    end
  end
end

return cores
