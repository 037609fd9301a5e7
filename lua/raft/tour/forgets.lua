-- A state machine with a mistake, for the tour: it adds numbers and counts them, and its snapshots forget the count.
local function sum()
  local total, count = 0, 0
  return {
    apply = function(command)
      total, count = total + command, count + 1
      return { total, count }
    end,
    snapshot = function() return tostring(total) end,
    restore = function(next_chunk) total = tonumber(next_chunk()) end,
  }
end

return {
  nodes = 5, machine = sum, snapshot_every = 10,
  run = function(c)
    c:nemesis { every = { 1, 3 }, "crash", "partition" }
    for number = 1, 100 do
      c:propose(number)
      c:sleep(0.1)
    end
  end,
}
