--- What a campaign says to people: the line while it runs, findings, and the summary.
-- @module raft.fuzz.words

local words = {}

local function group(digits)
  local text = ("%d"):format(digits)
  local grouped = text:reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (grouped:gsub("^,", ""))
end

local function count(number, one, many)
  return ("%s %s"):format(group(number), number == 1 and one or many or one .. "s")
end

-- 12,345 up to a million, then 1.23 M.
local function large(number)
  return number < 1e6 and group(math.floor(number)) or ("%.2f M"):format(number / 1e6)
end

local function rate(number, real_s)
  local value = number / math.max(real_s, 1e-3)
  return value < 10 and ("%.1f"):format(value) or group(math.floor(value + 0.5))
end

-- Of a few seconds also the tenths and hundredths.
local function virtual(s)
  return s < 10 and ("%.2f"):format(s) or group(math.floor(s))
end

local function seconds(s)
  return s < 60 and ("%.1f s"):format(s) or ("%d:%02d min"):format(math.floor(s / 60), math.floor(s % 60))
end

local function at(finding, before, after)
  return finding.time and ("%s%.3f virtual s%s"):format(before, finding.time, after) or ""
end

-- How many there were.
local function situations_words(sums, name)
  local number, is_estimate = sums:situation_count()
  return (is_estimate and "about " or "") .. count(number, name)
end

local function goals_words(sums)
  local goals, missed = sums:goals_reached()
  return #goals > 0 and (" | goals %d of %d"):format(#goals - #missed, #goals) or ""
end

local function faults_words(stats)
  return stats.faults > 0 and ("%s, "):format(count(stats.faults, "fault")) or ""
end

-- Histories that were not judged, which is no failure.
local function undecided_words(stats, before)
  return stats.undecided > 0 and before .. count(stats.undecided, "undecided history", "undecided histories") or ""
end

local function failures_words(campaign)
  local findings = campaign.tally.findings
  if campaign.lowest then
    return ("seed %.0f fails; waiting for those below it"):format(campaign.lowest.seed)
  end
  return #findings == 0 and "no failure" or count(#findings, "failure")
end

--- The state of a campaign in one line.
-- @tparam table campaign
-- @treturn string
function words.line(campaign)
  local sums = campaign.tally
  local stats = sums.stats
  return ("%s, %s | %s seeds/s, %s virtual s/s | %s%s, %s | %s%s%s | %s"):format(
    seconds(campaign.real_s), count(sums.seeds, "seed"), rate(sums.seeds, campaign.real_s),
    rate(sums.time, campaign.real_s), faults_words(stats), count(stats.elections, "election"),
    large(stats.commits) .. " commits", situations_words(sums, "situation"), goals_words(sums),
    undecided_words(stats, " | "), failures_words(campaign))
end

local function indented(text, indent)
  return indent .. text:gsub("\n", "\n" .. indent)
end

--- One finding.
-- @tparam table finding
-- @tparam function replay function(seed) → command
-- @treturn string several lines
function words.finding(finding, replay)
  local lines = {
    ("FOUND: %s (seed %.0f%s)"):format(finding.property, finding.seed,
      at(finding, ", after ", "")),
    indented(finding.text, "  "),
  }
  if finding.note then
    lines[#lines + 1] = "  note: " .. finding.note
  end
  lines[#lines + 1] = "  again: " .. replay(finding.seed)
  return table.concat(lines, "\n")
end

local function add_goals(lines, sums, is_whole)
  local goals = sums:goals_reached()
  for _, goal in ipairs(goals) do
    lines[#lines + 1] = goal.count > 0 and ("  goal reached: %s (%s)"):format(goal.name, count(goal.count, "seed"))
      or (is_whole and "  GOAL NEVER REACHED: %s" or "  goal not reached so far: %s"):format(goal.name)
  end
end

local function add_findings(lines, sums, replay)
  for position, finding in ipairs(sums:sorted_findings()) do
    local first = finding.text:match "^[^\n]*"
    lines[#lines + 1] = ("  failure %d: %s, in %s of %s, soonest in seed %.0f%s"):format(position,
      finding.property, group(finding.count), count(sums.seeds, "seed"), finding.seed, at(finding, " (", ")"))
    lines[#lines + 1] = "    " .. first
    lines[#lines + 1] = "    again: " .. replay(finding.seed)
  end
end

--- The summary at the end.
-- @tparam table campaign `tally`, `real_s` (nil: of several campaigns), `title`, `interrupted`, `problems`, `stopped`
-- (at the first failure, which was told)
-- @tparam function replay function(seed) → command
-- @treturn string several lines
function words.summary(campaign, replay)
  local sums, real_s = campaign.tally, campaign.real_s
  local stats = sums.stats
  local lines = {
    ("%s: %s, %s virtual s%s%s"):format(campaign.title, count(sums.seeds, "seed"), virtual(sums.time),
      real_s and (" in %s (%s seeds/s, %s virtual s/s)"):format(seconds(real_s), rate(sums.seeds, real_s),
        rate(sums.time, real_s)) or "", campaign.interrupted and ", interrupted" or ""),
    ("  %s%s, %s commits, %s messages (%s lost to faults), %s events"):format(faults_words(stats),
      count(stats.elections, "election"), large(stats.commits), large(stats.messages), large(stats.drops),
      large(stats.events)),
    ("  %s, %s of them new in the latest 100 seeds"):format(situations_words(sums, "distinct situation"),
      group(sums:new_situations())),
  }
  if sums.twice > 0 then
    lines[#lines + 1] = ("  %s ran twice, in another process"):format(count(sums.twice, "seed"))
  end
  if sums.seeds > 0 and not campaign.stopped and stats.faults + stats.drops == 0 then
    lines[#lines + 1] = "  no fault has changed anything: is there a c:nemesis, and are the runs long enough for it?"
  end
  if stats.undecided > 0 then
    lines[#lines + 1] = undecided_words(stats, "  ") .. ": not judged, as they took too long"
  end
  for _, problem in ipairs(campaign.problems or {}) do
    lines[#lines + 1] = "  " .. problem
  end
  add_goals(lines, sums, not campaign.stopped and not campaign.interrupted)
  if #sums.findings == 0 then
    lines[#lines + 1] = "  no failure"
  elseif campaign.stopped then
    lines[#lines + 1] = "  stopped at the first failure, above (--keep-going collects them)"
  else
    add_findings(lines, sums, replay)
  end
  return table.concat(lines, "\n")
end

return words
