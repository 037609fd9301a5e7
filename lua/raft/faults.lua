--- The faults that are in force in a cluster, in words.
-- @module raft.faults

local source = require "raft.script.source"

local faults = {}

local function percent(chance)
  return ("%.3g %%"):format(chance * 100)
end

local function milliseconds(seconds)
  return seconds < 1 and ("%.3g ms"):format(seconds * 1000) or ("%.3g s"):format(seconds)
end

-- What is wrong with one link; one that was only set to no faults at all has that said, too.
local function link_words(link)
  if link.cut then
    return "cut"
  end
  local words = {}
  for _, name in ipairs { "drop", "duplicate", "reorder" } do
    if link[name] then
      words[#words + 1] = name .. " " .. percent(link[name])
    end
  end
  if link.delay_max then
    local low, high = milliseconds(link.delay_min), milliseconds(link.delay_max)
    words[#words + 1] = "delay " .. (low == high and high or low .. " to " .. high)
  end
  if link.bandwidth then
    words[#words + 1] = ("%d bytes/s"):format(link.bandwidth)
  end
  return #words > 0 and table.concat(words, ", ") or "no delay"
end

local function end_words(one)
  return type(one) == "number" and ("%d"):format(one) or one
end

-- Takes from a set of links { [from] = { [to] = true } } all that go from here, or to here, to and from each node.
local function take_star(set, ids, one, is_from)
  local function at(other)
    local from, to = is_from and one or other, is_from and other or one
    return set[from], to
  end
  for _, other in ipairs(ids) do
    local row, to = at(other)
    if other ~= one and not (row and row[to]) then
      return nil
    end
  end
  for _, other in ipairs(ids) do
    if other ~= one then
      local row, to = at(other)
      row[to] = nil
    end
  end
  return is_from and end_words(one) .. " -> *" or "* -> " .. end_words(one)
end

-- The links of a set in few words.
local function links_words(list, ids)
  local set, words, between_nodes = {}, {}, 0
  for _, link in ipairs(list) do
    set[link.from] = set[link.from] or {}
    set[link.from][link.to] = true
    between_nodes = between_nodes + (link.from ~= "client" and link.to ~= "client" and 1 or 0)
  end
  if #ids > 1 and between_nodes == #ids * (#ids - 1) then
    words[1] = "all"
    for _, from in ipairs(ids) do
      for _, to in ipairs(ids) do
        set[from][to] = nil
      end
    end
  end
  local ends = { "client" }
  if #ids > 2 then
    for _, id in ipairs(ids) do
      ends[#ends + 1] = id
    end
  end
  for _, one in ipairs(ends) do
    words[#words + 1] = take_star(set, ids, one, true)
    words[#words + 1] = take_star(set, ids, one, false)
  end
  for _, link in ipairs(list) do
    local row, back = set[link.from], set[link.to]
    if row and row[link.to] then
      local is_mutual = back and back[link.from]
      row[link.to] = nil
      if is_mutual then
        back[link.from] = nil
      end
      words[#words + 1] = end_words(link.from) .. (is_mutual and " <-> " or " -> ") .. end_words(link.to)
    end
  end
  return table.concat(words, ", ")
end

-- One line for each kind of trouble that links have.
local function add_links(lines, links, ids)
  local order, by_words = {}, {}
  for _, link in ipairs(links) do
    local words = link_words(link)
    if not by_words[words] then
      by_words[words] = {}
      order[#order + 1] = words
    end
    table.insert(by_words[words], link)
  end
  for _, words in ipairs(order) do
    lines[#lines + 1] = ("links %s: %s"):format(links_words(by_words[words], ids), words)
  end
end

-- The parts of a partition; nodes in no group are one more. nil: there is none.
local function partition_words(groups, ids)
  local parts, order = {}, {}
  for _, id in ipairs(ids) do
    local group = groups[id] or 0
    if not parts[group] then
      parts[group] = {}
      order[#order + 1] = group
    end
    table.insert(parts[group], ("%d"):format(id))
  end
  if #order < 2 then
    return nil
  end
  local words = {}
  for position, group in ipairs(order) do
    words[position] = "{" .. table.concat(parts[group], ", ") .. "}"
  end
  return "partition: " .. table.concat(words, " | ")
end

local function settings_words(settings)
  local words = {}
  for _, name in ipairs(source.keys(settings)) do
    local value = settings[name]
    if value == true then
      words[#words + 1] = name
    elseif value then
      words[#words + 1] = ("%s %.6g"):format(name, value)
    end
  end
  return table.concat(words, ", ")
end

local function add_settings(lines, what, by_id, ids)
  for _, id in ipairs(ids) do
    local words = by_id and type(by_id[id]) == "table" and settings_words(by_id[id]) or ""
    if words ~= "" then
      lines[#lines + 1] = ("%s of %d: %s"):format(what, id, words)
    end
  end
end

--- The faults of the network, the clocks and the disks that are in force.
-- @tparam raft.cluster cluster
-- @tparam ?table given what core:faults says, where it was asked already
-- @treturn string[] sentences; none where there is no fault
function faults.words(cluster, given)
  local in_force, lines, ids = given or cluster.core:faults(), {}, {}
  for _, id in ipairs(cluster:ids()) do
    if cluster.core:state(id) ~= "removed" then
      ids[#ids + 1] = id
    end
  end
  lines[1] = partition_words(in_force.groups, ids)
  add_links(lines, in_force.links, ids)
  local inner = cluster.inner
  add_settings(lines, "clock", inner.changed_clocks, ids)
  add_settings(lines, "disk", inner.changed_disks, ids)
  local held = #(inner.held_messages or {})
  if held > 0 then
    lines[#lines + 1] = ("held: %d message%s (c:held())"):format(held, held == 1 and "" or "s")
  end
  return lines
end

return faults
