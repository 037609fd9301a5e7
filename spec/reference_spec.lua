-- The reference suite with plain Raft: no pre-vote, no check-quorum. In the world of
-- RAFTBENCH_MODE; in the simulated one each test runs over a hundred seeds.
return require("spec.support.reference").tests("plain")
