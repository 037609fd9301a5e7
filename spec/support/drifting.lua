-- A machine that is not deterministic, and whose answers do not show it: node 3 adds one too many.
return function(id)
  local sum = 0
  return {
    apply = function(command)
      sum = sum + command.add + (id == 3 and command.add == 3 and 1 or 0)
      return true
    end,
    digest = function()
      return sum
    end,
  }
end
