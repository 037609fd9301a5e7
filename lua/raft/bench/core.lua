--- The core alone: three replicas in one process, messages passed in memory without being encoded, every persist
-- confirmed by its event; counted when committed on all three.
-- @module raft.bench.core

local core = require "raft.core"

local BYTES, WINDOW = 64, 64

return {
  name = "core",
  about = "three bare cores, messages in memory, persists included, committed on all three; 64-byte entries",
  sizes = {
    quick = { single = 10000, batched = 20000 },
    full = { single = 1000000, batched = 2000000 },
    long = { single = 10000000, batched = 20000000 },
  },
  rows = {
    { key = "single", what = "one at a time, window of 64", unit = "entries/s" },
    { key = "batched", what = "in batches of 64", unit = "entries/s" },
    { key = "single_warm", what = "one at a time, in memory used before", unit = "entries/s" },
    { key = "batched_warm", what = "in batches of 64, in memory used before", unit = "entries/s" },
  },
  run = function(size, record)
    for _, warm in ipairs { "", "_warm" } do
      local is_warm = warm ~= ""
      record("single" .. warm, size.single * 1e9 / core.bench.core(size.single, 1, WINDOW, BYTES, is_warm))
      record("batched" .. warm, size.batched * 1e9 / core.bench.core(size.batched, 64, 4 * 64, BYTES, is_warm))
    end
  end,
}
