--- The runs that one trace holds: what must be known of each before its table can be drawn.
--
-- One pass over the events; it keeps a few fields for each run and no event. It draws nothing.
-- @module raft.view.runs

local runs = {}

local COUNT_MOST = 1000 -- what a line can claim without naming them

local function new_run(name)
  return { name = name, events = 0, lines = 0, nodes = {}, seen = {}, first = nil, last = nil, verdict = nil }
end

local function saw(run, id)
  if type(id) == "number" and id > 0 and not run.seen[id] then
    run.seen[id] = true
    run.nodes[#run.nodes + 1] = id
  end
end

local function read_head(run, value)
  if type(value) ~= "table" then
    return
  end
  run.mode, run.seed = value.mode, value.seed
  run.is_log, run.began = value.is_log == true, type(value.began) == "string" and value.began or nil
  run.names = type(value.names) == "table" and value.names or nil
  if type(value.nodes) == "number" then
    for id = 1, math.min(value.nodes, COUNT_MOST) do
      saw(run, id)
    end
  elseif type(value.nodes) == "table" then
    for position = 1, #value.nodes do
      saw(run, value.nodes[position])
    end
  end
end

local function read_verdict(run, event)
  local value = type(event.value) == "table" and event.value or {}
  run.verdict = value.passed == true and "passed" or "failed"
  run.message = type(value.message) == "string" and value.message ~= "" and value.message or nil
end

--- Whether an event begins another run than the present one.
-- @tparam table|nil run the present one
-- @tparam table event the next
-- @treturn boolean
function runs.begins(run, event)
  return run == nil or event.kind == "run"
end

--- A run that an event begins.
-- @tparam table event the first
-- @tparam string name what a run without a beginning is called
-- @treturn table {name, mode, seed, nodes, events, first, last, verdict = "passed" | "failed" | nil, message, violated,
-- led}, the last two the times of the first violation and the first leader
function runs.new(event, name)
  return new_run(event.kind == "run" and type(event.text) == "string" and event.text ~= "" and event.text or name)
end

--- Takes note of an event of a run.
-- @tparam table run from `runs.new`
-- @tparam table event the next, also the first
function runs.take(run, event)
  run.events = run.events + 1
  run.lines = run.lines + (event.kind ~= "run" and event.kind ~= "verdict" and 1 or 0)
  run.first = run.first or event.time
  run.last = event.time
  if event.kind == "run" then
    read_head(run, event.value)
  elseif event.kind == "verdict" then
    read_verdict(run, event)
  elseif event.kind == "violation" then
    run.violated = run.violated or event.time
  elseif event.kind == "role" and event.role == "leader" then
    run.led = run.led or event.time
  end
  saw(run, event.node)
end

--- A run at its end: its nodes in their order.
-- @tparam table run from `runs.new`
-- @treturn table the same
function runs.sorted(run)
  table.sort(run.nodes)
  return run
end

--- Reads a trace once.
-- @tparam function next_event an iterator of events
-- @tparam string name what a run without a beginning is called
-- @tparam table choice made by raft.view.choose
-- @treturn table a list of runs, as `runs.new` describes them, each with `shown`: how many events the choice takes
function runs.scan(next_event, name, choice)
  local list, run = {}, nil
  for event in next_event do
    if runs.begins(run, event) then
      run = runs.new(event, name)
      run.shown = 0
      list[#list + 1] = run
    end
    run.shown = run.shown + (choice:counts(event) and 1 or 0)
    runs.take(run, event)
  end
  for position = 1, #list do
    runs.sorted(list[position])
  end
  return list
end

--- What a node is called: by its number, or by the name that its log has for it.
-- @tparam table run from `runs.new`
-- @tparam integer id
-- @treturn string
function runs.node_name(run, id)
  local name = run.names and run.names[id]
  return type(name) == "string" and name or ("%.0f"):format(id)
end

--- Whether a run has a verdict, or should have: a log that tells none is just that.
-- @tparam table run from `runs.scan`
-- @treturn boolean
function runs.is_judged(run)
  return not run.is_log or run.verdict ~= nil or run.violated ~= nil
end

--- A run's verdict in a word.
-- @tparam table run from `runs.scan`
-- @treturn string
function runs.verdict(run)
  if run.verdict then
    return run.verdict:upper()
  end
  return run.violated and "FAILED" or "NO VERDICT"
end

return runs
