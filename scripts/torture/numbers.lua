-- The machine of torture.lua: for each client how many of its numbers were applied. Numbers rise by one, so that one
-- that is lost, applied twice or out of order is seen where it happens. Any other command has no effect.
local function new()
  local counts, wrong = {}, ""

  local function count_of(client)
    for position = #counts + 1, client do
      counts[position] = 0
    end
    return counts[client]
  end

  local machine = {}

  function machine.apply(command, index)
    if type(command) ~= "table" or not command.client then
      return nil
    end
    local count = count_of(command.client) + 1
    if command.number ~= count and wrong == "" then
      wrong = ("index %d is write %d of client %d, after %d of its writes"):format(index, command.number,
        command.client, count - 1)
    end
    counts[command.client] = count
    return command.number == count and count or "after " .. count - 1
  end

  function machine.query()
    return { counts = counts, wrong = wrong }
  end

  function machine.snapshot()
    return wrong .. "\n" .. table.concat(counts, "\n")
  end

  function machine.restore(next_chunk)
    local text, chunk = "", next_chunk()
    while chunk do
      text, chunk = text .. chunk, next_chunk()
    end
    local numbers
    wrong, numbers = text:match "^([^\n]*)\n(.*)$"
    counts = {}
    for number in numbers:gmatch "%d+" do
      counts[#counts + 1] = tonumber(number)
    end
  end

  return machine
end

return new
