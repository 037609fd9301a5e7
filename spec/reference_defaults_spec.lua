-- The reference suite with the defaults: pre-vote and check-quorum, so that a server that comes
-- back changes neither leader nor term.
return require("spec.support.reference").tests("defaults")
