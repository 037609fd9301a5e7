--- The results of campaigns as JSON lines: one campaign a line, appended, so that shards may share a file.
-- @module raft.fuzz.results

local core = require "raft.core"

local results = {}

local KIND = "raftbench fuzz"

--- Appends a campaign.
-- @tparam string path
-- @tparam table campaign with `title`, `set`, `shard` and `range`
-- @treturn ?boolean true; nil and a message
function results.write(path, campaign)
  local shard = campaign.shard or { 1, 1 }
  local line = core.json_encode {
    kind = KIND, scenario = campaign.title, set = campaign.set, seeds = campaign.range, shard = { shard[1], shard[2] },
    real_time = campaign.real_s, interrupted = campaign.interrupted or false, tally = campaign.tally:plain(),
  }
  local file, problem = io.open(path, "a")
  local written = file and file:write(line, "\n")
  written = file and file:close() and written
  if not written then
    return nil, "the results cannot be written: " .. tostring(problem or path)
  end
  return true
end

local function same_list(a, b)
  return table.concat(a, "\n") == table.concat(b, "\n")
end

local function add(campaign, line)
  local one = core.json_decode(line)
  if type(one) ~= "table" or one.kind ~= KIND then
    return nil, "this is no result of raftbench fuzz"
  end
  campaign.title, campaign.set = campaign.title or one.scenario, campaign.set or one.set
  if campaign.title ~= one.scenario or not same_list(campaign.set, one.set) then
    return nil, ("it is of %s %s, the results before are of %s %s"):format(one.scenario, table.concat(one.set, " "),
      campaign.title, table.concat(campaign.set, " "))
  end
  campaign.interrupted = campaign.interrupted or one.interrupted
  campaign.tally:merge(one.tally)
  return true
end

--- Adds the campaigns of a file to one.
-- @tparam string path
-- @tparam table campaign { tally }; `title` and `set` are filled in
-- @treturn ?boolean true; nil and a message
function results.read(path, campaign)
  local file, problem = io.open(path, "r")
  if not file then
    return nil, problem
  end
  local number, fine = 0, true
  for line in file:lines() do
    number = number + 1
    fine, problem = add(campaign, line)
    if not fine then
      break
    end
  end
  file:close()
  if number == 0 then
    return nil, path .. ": there is nothing in it"
  elseif not fine then
    return nil, ("%s:%d: %s"):format(path, number, problem)
  end
  return true
end

return results
