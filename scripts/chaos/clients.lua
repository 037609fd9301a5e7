-- The clients of chaos.lua: each does one thing again and again, and knows something that must hold of the answers.
local clients = {}

local function fail(text, ...)
  error(text:format(...), 0)
end

local function pick(c, list)
  return list[c:random(#list)]
end

local function rest(c, run)
  c:sleep(c:random() * run.pace)
end

-- Any node, also one that cannot know, or one that believes it leads.
local function any_node(c)
  if c:random(2) == 1 then
    local leaders = c:leaders()
    if #leaders > 0 then
      return pick(c, leaders).id
    end
  end
  return pick(c, c:ids())
end

-- ---- registers: one client writes rising numbers, the others read ------------------------------------------

-- What is read is not older than what was acknowledged when the read began, nor newer than what was written when it
-- ended: all clients live in one script, so its order is that of real time.
local function read(c, register, options)
  local acknowledged = register.acknowledged
  if options and register.leases and c:random(2) == 1 then
    options.read = "lease"
  end
  local value, _, code = c:get(register.key, options)
  if code ~= nil then
    return nil
  end
  value = value or 0
  if value < acknowledged or value > register.written then
    fail("%s was read as %s, but %d was acknowledged before and %d is the last written", register.key, value,
      acknowledged, register.written)
  end
  return value
end

local function writer(c, run, register)
  while not run.over do
    register.written = register.written + 1
    if c:set(register.key, register.written, { timeout = 1 }) then
      register.acknowledged = register.written
    end
    if c:random(2) == 1 then
      read(c, register, { timeout = 1 })
    end
    rest(c, run)
  end
end

-- Its reads never go back, whoever answers them.
local function reader(c, run)
  local seen = {}
  while not run.over do
    local register = pick(c, run.registers)
    local value = read(c, register, { timeout = 0.5, node = c:random(2) == 1 and any_node(c) or nil })
    if value and value < (seen[register] or 0) then
      fail("a reader saw %s of %s after %s", value, register.key, seen[register])
    end
    seen[register] = value or seen[register]
    rest(c, run)
  end
end

-- ---- compare-and-set ---------------------------------------------------------------------------------------

-- Each increment that was told to have worked did so once.
local function incrementer(c, run)
  while not run.over do
    local value, _, code = c:get("counter", { timeout = 1 })
    if code == nil then
      local worked, _, failed, detail = c:cas("counter", value, (value or 0) + 1, { timeout = 1 })
      if worked then
        run.increments = run.increments + 1
      elseif failed and detail.unknown then
        run.increments_unknown = run.increments_unknown + 1
      end
    end
    rest(c, run)
  end
end

-- What is known of who has a claim never changes.
local function note_claim(run, key, name)
  local before = run.claims[key]
  if before and before ~= name then
    fail("%s was %s's and is %s's", key, before, name)
  end
  run.claims[key] = name
end

-- Many want the same, one gets it; and none loses to itself.
local function claim_keys(c, run, name)
  local number = 0
  while not run.over do
    number = number + 1
    local key = "claim" .. number
    local worked, present, code = c:cas(key, nil, name, { timeout = 1 })
    if worked then
      note_claim(run, key, name)
    elseif code == nil then
      if present == name or present == nil then
        fail("%s lost %s to %s", name, key, tostring(present))
      end
      note_claim(run, key, present)
    end
    rest(c, run)
  end
end

-- ---- commands to any node ------------------------------------------------------------------------------------

-- Any node may refuse, but truthfully: a command that was certainly refused is never applied.
local function ask_any_node(c, run)
  local number = 0
  while not run.over do
    number = number + 1
    local command = { "to anybody", number }
    local index, _, _, detail = c:propose(command, { node = any_node(c), timeout = 0.2 })
    if not index and not detail.unknown then
      run.refused[#run.refused + 1] = command
    end
    rest(c, run)
  end
end

-- Keeps asking the node that it took for the leader, which may be cut off or may have been replaced long ago.
local function ask_known_leader(c, run)
  local number = 0
  while not run.over do
    local leader = c:leader() or any_node(c)
    for _ = 1, c:random(2, 8) do
      number = number + 1
      local command = { "to the one I know", number }
      local index, _, _, detail = c:propose(command, { node = leader, timeout = 0.3 })
      if not index and not detail.unknown then
        run.refused[#run.refused + 1] = command
      end
      read(c, pick(c, run.registers), { node = leader, timeout = 0.3 })
      rest(c, run)
    end
  end
end

-- ---- all of them -----------------------------------------------------------------------------------------------

-- Starts them all. `run` has over and pace, and is given what the checks in the end need.
function clients.start(c, run)
  run.registers, run.claims, run.refused = {}, {}, {}
  run.increments, run.increments_unknown = 0, 0
  local function start(body, session, ...)
    local more = { ... }
    run.clients[#run.clients + 1] = c:client(function()
      body(c, run, more[1])
    end, { session = session })
  end
  for number = 1, 3 do
    run.registers[number] = { key = "key" .. number, written = 0, acknowledged = 0, leases = run.leases }
    start(writer, number == 2, run.registers[number])
  end
  start(reader, false)
  start(reader, false)
  start(incrementer, false)
  start(incrementer, true)
  start(claim_keys, false, "Ann")
  start(claim_keys, true, "Bob")
  start(ask_any_node, false)
  start(ask_known_leader, false)
end

-- Once all has healed and every client is done.
function clients.check(c, run)
  for _, register in ipairs(run.registers) do
    if not read(c, register) then
      fail("%s could not be read after all faults were healed", register.key)
    end
  end
  local counter = c:get("counter") or 0
  if counter < run.increments or counter > run.increments + run.increments_unknown then
    fail("the counter is %d, but %d increments were acknowledged and %d more may have worked", counter, run.increments,
      run.increments_unknown)
  end
  for number = 1, 5 do
    local key = "claim" .. number
    local name = c:get(key)
    if name ~= nil or run.claims[key] then
      note_claim(run, key, name or "nobody")
    end
  end
  for number = 1, math.min(5, #run.refused) do
    c:check_not_committed(run.refused[number])
  end
end

return clients
