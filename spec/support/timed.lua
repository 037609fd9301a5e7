-- A machine that is not deterministic: it answers what time it is.
return function()
  return {
    apply = function()
      local now = os.time()
      return now
    end,
  }
end
