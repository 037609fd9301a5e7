-- Clients put, take and look while nodes crash and the network fails. In the end the cluster must work again, and what
-- the clients saw must be what one store alone, without faults, could have answered (linearizability).
local operations = { "put", "take", "look" }

return {
  machine = require "machine",
  options = "drawn",                                    -- size, timing and more by the seed
  snapshot_every = 20,
  run = function(c)
    c:workload {
      clients = 4, count = 200, rate = 40,
      generator = function()
        return { f = operations[c:random(3)], key = c:random(2) == 1 and "apples" or "pears", value = c:random(3) }
      end,
      perform = function(_, operation, cluster)
        if operation.f == "look" then
          local held, message, code = cluster:query(operation.key)
          if message then
            return nil, message, code
          end
          return true, held
        end
        return cluster:propose { op = operation.f, item = operation.key, count = operation.value }
      end,
      -- What one store alone would do: the next state, or nil where the answer (`result`, where it is known) is none
      -- that it could have given.
      model = {
        init = 0,
        key = function(operation) return operation.key end,
        step = function(held, operation)
          local is_refused = operation.f == "take" and held < operation.value
          local after = held
          if not is_refused then
            after = held + (operation.f == "put" and operation.value or operation.f == "take" and -operation.value or 0)
          end
          local answer = operation.result
          if not operation.known then
            return after
          elseif is_refused then
            return type(answer) == "table" and answer.refused == held and held or nil
          end
          return answer == after and after or nil
        end,
      },
    }
    c:nemesis { every = { 0.3, 1.5 }, lasts = { 0.2, 1 }, "crash", "partition", "pause", { "link", drop = 0.2 } }
    c:sleep(6)
  end,
}
