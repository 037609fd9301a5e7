-- The public calls with arguments that are mostly right: what the fuzzer begins from, before it spoils them.
--
-- Each entry gives a list of arguments; `s` is the session: { random, cluster, f = function that makes a function }.
local values = require "spec.face_fuzz.values"

local calls = {}

local function id(s)
  return s.random:below(5) + 1
end

local function ids(s)
  return s.random:any { id(s), { id(s) }, { 1, 2 }, "all", {} }
end

local function seconds(s)
  return s.random:any { 0, 0.001, 0.05, 0.3 }
end

local function timeout(s)
  return s.random:any { 0, 0.01, 0.2, 0.5 }
end

local function value(s)
  return values.value(s.random)
end

local function options(s)
  return s.random:any {
    { timeout = timeout(s) }, { node = id(s), timeout = timeout(s) }, { timeout = timeout(s), read = "stale" },
  }
end

local function change(s)
  return s.random:any {
    { timeout = timeout(s) }, { timeout = timeout(s), wait = false }, { timeout = timeout(s), stop = false },
    { timeout = timeout(s), node = id(s) },
  }
end

local function filter(s)
  return s.random:any {
    { kind = "role" }, { kind = "send" }, { kind = { "commit", "apply" }, node = id(s) }, { node = id(s) },
    s.f("filter", 1), { kind = "fault" }, { role = "leader" },
  }
end

local function faults(s)
  return s.random:any {
    { drop = 0.5 }, { delay = { 0.001, 0.02 }, reorder = 0.3 }, { duplicate = 0.3 }, { cut = true },
    { bandwidth = 100000 }, {},
  }
end

local function endpoint(s)
  return s.random:any { id(s), "*", "client" }
end

-- name → function(s) → list of arguments (`n`: how many, where the last may be nil)
calls.of_cluster = {
  sleep = function(s) return { seconds(s) } end,
  now = function() return {} end,
  wait_until = function(s) return { s.f("predicate", 0), timeout(s), "something" } end,
  wait_event = function(s) return { filter(s), timeout(s) } end,
  step = function(s) return { s.random:below(4) + 1 } end,
  on = function(s) return { filter(s), s.f("callback of on", 1) } end,
  after = function(s) return { seconds(s), s.f("callback of after", 0) } end,
  leader = function() return {} end,
  leaders = function() return {} end,
  wait_leader = function(s) return { timeout(s), s.random:below(3) } end,
  check_one_leader = function() return {} end,
  check_no_leader = function() return {} end,
  campaign = function(s) return { ids(s), { force = s.random:one_in(2) } } end,
  transfer_leader = function(s) return { id(s), { timeout = timeout(s) } } end,
  submit = function(s) return { id(s), value(s) } end,
  propose = function(s) return { value(s), options(s) } end,
  query = function(s) return { value(s), options(s) } end,
  set = function(s) return { value(s), value(s), options(s) } end,
  get = function(s) return { value(s), options(s) } end,
  delete = function(s) return { value(s), options(s) } end,
  cas = function(s) return { value(s), value(s), value(s), options(s) } end,
  check_committed = function(s) return { value(s), s.random:below(3) + 1, timeout(s) } end,
  check_not_committed = function(s) return { value(s) } end,
  commits = function(s) return { id(s) } end,
  check_live = function(s) return { timeout(s) } end,
  disconnect = function(s) return { ids(s) } end,
  reconnect = function(s) return { ids(s) } end,
  partition = function(s) return { { 1, s.random:any { 2, 3 } }, { 4, 5 } } end,
  link = function(s) return { endpoint(s), endpoint(s), faults(s) } end,
  heal = function(s) return s.random:any { {}, { "all" } } end,
  disk = function(s) return { ids(s), s.random:any { {}, { sync_delay = 0.01 } } } end,
  intercept = function(s) return { s.random:any { s.f("intercept", 1), false } or nil, n = 1 } end,
  held = function() return {} end,
  serve = function(s) return { id(s), s.f("serve", 2) } end,
  call = function(s) return { id(s), id(s), value(s), timeout(s) } end,
  crash = function(s) return { ids(s) } end,
  restart = function(s) return { ids(s), s.random:any { {}, { wait = false }, { wipe = true } } } end,
  pause = function(s) return { ids(s) } end,
  resume = function(s) return { ids(s) } end,
  clock = function(s)
    return { ids(s), { rate = s.random:any { 0.5, 1, 2 }, offset = s.random:any { 0, 0.1, -0.1 } } }
  end,
  is_alive = function(s) return { id(s) } end,
  is_connected = function(s) return { id(s) } end,
  add_servers = function(s) return { { id(s), s.random:one_in(2) and 6 or nil }, change(s) } end,
  add_learners = function(s) return { { id(s) }, change(s) } end,
  remove_servers = function(s) return { { id(s) }, change(s) } end,
  promote = function(s) return { { id(s) }, change(s) } end,
  change_members = function(s) return { { voters = { 1, id(s) + 1 }, learners = {} }, change(s) } end,
  members = function(s) return { id(s) } end,
  ids = function() return {} end,
  status = function(s) return { id(s) } end,
  log = function(s) return { id(s) } end,
  machine = function(s) return { id(s) } end,
  stats = function(s) return { id(s) } end,
  events = function(s) return { filter(s) } end,
  trace_hash = function() return {} end,
  note = function(s) return { s.random:any { "a note", "\0\255", "" } } end,
  view = function(s) return { s.random:any { "table", "svg", "shiviz", "perfetto", "html" } } end,
  script = function() return {} end,
  random = function(s) return { s.random:below(5) + 1, s.random:below(5) + 5 } end,
  client = function(s) return { s.f("client", 1), s.random:any { {}, { session = true, repeat_every = 0.05 } } } end,
  wait_clients = function(s) return { timeout(s) } end,
  seed = function() return {} end,
  mode = function() return {} end,
  is_closed = function() return {} end,
  shutdown = function() return {} end,
}

-- What is called seldom, so that a session lasts.
calls.seldom = { shutdown = true, check_live = true, check_one_leader = true, view = true, script = true }

calls.of_node = {
  start = function() return {} end,
  propose = function(s)
    return { value(s), { timeout = timeout(s) }, s.random:one_in(2) and s.f("answer", 2) or nil }
  end,
  read = function(s) return { { timeout = timeout(s) }, s.random:one_in(2) and s.f("answer", 1) or nil } end,
  query = function(s) return { value(s), { timeout = timeout(s) }, s.f("answer", 1) } end,
  status = function() return {} end,
  change_members = function(s)
    return { { voters = { [1] = true, [2] = "127.0.0.1:1" } }, { timeout = timeout(s) }, s.f("answer", 2) }
  end,
  transfer_leader = function(s) return { id(s), { timeout = timeout(s) }, s.f("answer", 2) } end,
  on = function(s)
    return { s.random:any { "leader", "role", "members", "removed", "error", "notice" }, s.f("listener", 2) }
  end,
  close = function(s) return { s.random:one_in(2) and s.f("closed", 1) or nil } end,
}

calls.of_options = {
  nodes = function(s) return s.random:any { 1, 2, 3, 5, { 1, 2, 3 } } end,
  seed = function(s) return s.random:below(1000) end,
  name = function() return "fuzzed" end,
  election_timeout = function(s) return s.random:any { { 0.15, 0.3 }, { 0.05, 0.06 }, math.huge } end,
  heartbeat_interval = function() return 0.03 end,
  pre_vote = function(s) return s.random:one_in(2) end,
  check_quorum = function(s) return s.random:one_in(2) end,
  election_collisions = function() return 0.5 end,
  window = function() return 2 end,
  max_entries = function() return 2 end,
  max_message = function() return 1000 end,
  max_inflight = function() return 5000 end,
  max_uncommitted = function() return 100000 end,
  link = faults,
  state = function() return { [1] = { term = 2, vote = 1, log = { 1, { 2, "x" } } } } end,
  machine = function(s)
    return function()
      return { apply = s.f("apply", 2), query = s.f("query", 1) }
    end
  end,
  trace = function(s) return s.f("trace", 1) end,
  keep_events = function() return 100 end,
  invariants = function() return true end,
}

return calls
