--- What the signs of a still picture mean: below it, for those that are in it.
-- @module raft.view.svg_legend

local paper = require "raft.view.svg_paper"

local svg_legend = {}

local number, width_of = paper.number, paper.width
local LINE = 17

local patterned = { candidate = true, pre_candidate = true }
local roles = { "leader", "follower", "learner", "candidate", "pre_candidate", "down" }
local role_words = { leader = "leader (L)", follower = "follower (F)", learner = "learner (N)",
  candidate = "candidate (C)", pre_candidate = "pre-candidate (P)", down = "not running" }
local arrows = { { "vote", "votes" }, { "append", "entries" }, { "heartbeat", "heartbeat" },
  { "other", "snapshots, reads, transfers" } }

local function legend_items(self)
  local items = {}
  local function add(words, draw)
    items[#items + 1] = { words = words, draw = draw }
  end
  for _, role in ipairs(roles) do
    if self.used[role] then
      add(role_words[role], function(x, y)
        local box = ('x="%s" y="%s" width="18" height="10"'):format(number(x), number(y - 9))
        self:add('<rect class="bar %s" %s/>', role, box)
        if patterned[role] then
          self:add('<rect fill="url(#rb-%s)" %s opacity=".55"/>', role, box)
        end
      end)
    end
  end
  for _, arrow in ipairs(arrows) do
    if self.used[arrow[1]] then
      add(arrow[2], function(x, y)
        self:add('<path class="arrow %s" d="M%s %sh18" marker-end="url(#rb-%s)"/>', arrow[1], number(x), number(y - 4),
          arrow[1])
      end)
    end
  end
  if self.used.answer then
    add("answer", function(x, y)
      self:add('<path class="arrow heartbeat answer" d="M%s %sh18"/>', number(x), number(y - 4))
    end)
  end
  if self.used.lost then
    add("lost", function(x, y)
      self:add('<path class="lost" d="M%s %sh10"/><path class="lost" d="M%s %sl7 7m0 -7l-7 7" stroke-width="2"/>',
        number(x), number(y - 4), number(x + 9), number(y - 7.5))
    end)
  end
  if self.used.commit then
    add("commit index", function(x, y)
      self:add('<path class="commit" d="M%s %sl4 4l-4 4l-4 -4z"/>', number(x + 9), number(y - 8))
    end)
  end
  if self.used.pause then
    add("paused", function(x, y)
      self:add('<rect fill="url(#rb-pause)" x="%s" y="%s" width="18" height="10"/>', number(x), number(y - 9))
    end)
  end
  if self.used.cut then
    add("cut off", function(x, y)
      self:add('<rect class="cut" x="%s" y="%s" width="18" height="10"/>', number(x), number(y - 9))
    end)
  end
  return items
end

--- Draws the signs that a picture has, with what they mean, and notes below them.
-- @tparam table self the drawing, with `used` signs
-- @tparam number y the first base line
-- @tparam table notes list of texts
-- @treturn number where the picture ends
function svg_legend.draw(self, y, notes)
  local x = 8
  for _, item in ipairs(legend_items(self)) do
    local wide = 24 + width_of(item.words) + 16
    if x + wide > self.width and x > 8 then
      x, y = 8, y + LINE
    end
    item.draw(x, y)
    self:text(x + 24, y, "dim", item.words)
    x = x + wide
  end
  for _, note in ipairs(notes) do
    y = y + LINE
    self:text(8, y, "dim", note)
  end
  return y + 10
end

return svg_legend
