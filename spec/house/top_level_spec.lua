-- What the top level holds: nothing that is not named here, such as what a run has written.
local lu = require "luaunit"

local tests = {}

local expected = [[
.ci
.clang-format
.clang-tidy
.editorconfig
.gitignore
.luacheckrc
LICENSE
Makefile
README.md
lua
scripts
spec
src
]]

function tests.test_TheTopLevelHoldsNothingElse()
  local pipe = assert(io.popen("git ls-files 2>/dev/null | cut -d/ -f1 | LC_ALL=C sort -u", "r"))
  local found = pipe:read "*a"
  pipe:close()
  if found == "" then
    lu.skip "this is no checkout of git's"
  end
  lu.assertEquals(found, expected)
end

return tests
