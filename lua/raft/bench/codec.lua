--- Frames of append messages, head and checksum included, to bytes and back.
-- @module raft.bench.codec

local core = require "raft.core"

return {
  name = "codec",
  about = "append frames to bytes and back, checksum included; 64-byte entries",
  sizes = {
    quick = { frames = 1000 },
    full = { frames = 1000000 },
  },
  rows = {
    { key = "encode_1", what = "encode, one entry", unit = "frames/s" },
    { key = "decode_1", what = "decode, one entry", unit = "frames/s" },
    { key = "encode_64", what = "encode, 64 entries", unit = "frames/s" },
    { key = "decode_64", what = "decode, 64 entries", unit = "frames/s" },
  },
  run = function(size, record)
    for _, entries in ipairs { 1, 64 } do
      local frames = math.ceil(size.frames / entries)
      local encode_ns, decode_ns = core.bench.codec(frames, entries, 64)
      record("encode_" .. entries, frames * 1e9 / encode_ns)
      record("decode_" .. entries, frames * 1e9 / decode_ns)
    end
  end,
}
