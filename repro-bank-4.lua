-- after 500 events and 4.528 virtual s the run is not at its end
-- /tmp/tmp.OFrVbLhfo4/bank.lua with 0 of its 0 faults. It passes once that is mended.
require "raft.shrink.again" {
  file = "/tmp/tmp.OFrVbLhfo4/bank.lua",
  seed = 4,
  set = { "options=drawn" },
  events_most = 300000,
  calls = {},
  actions = {},
}
