--- What many samples come to.
-- @module raft.bench.statistics

local statistics = {}

local function sorted(samples)
  local list = {}
  for position, sample in ipairs(samples) do
    list[position] = sample
  end
  table.sort(list)
  return list
end

--- The sample below which so large a part of all lie (the nearest one; nothing is interpolated).
-- @tparam table samples at least one number
-- @tparam number part 0..1
-- @treturn number
function statistics.quantile(samples, part)
  local list = sorted(samples)
  return list[math.max(1, math.ceil(part * #list))]
end

--- The median; of an even number of samples the mean of the two in the middle.
-- @tparam table samples at least one number
-- @treturn number
function statistics.median(samples)
  local list = sorted(samples)
  local low, high = list[math.ceil(#list / 2)], list[math.floor(#list / 2) + 1]
  return (low + high) / 2
end

--- Median and spread.
-- @tparam table samples at least one number
-- @treturn table {median, low, high, samples}
function statistics.summary(samples)
  local list = sorted(samples)
  return { median = statistics.median(list), low = list[1], high = list[#list], samples = samples }
end

return statistics
