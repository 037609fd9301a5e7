--- Places for labels in a picture, so that none covers another: a box is taken where nothing was put before.
-- @module raft.view.places

local places = {}

local Places = {}
Places.__index = Places

local CELL = 64 -- boxes are looked up by the columns of that width that they touch

--- An empty picture.
-- @tparam number left the edges that no box may cross
-- @tparam number right
-- @treturn table with `take` and `try`
function places.new(left, right)
  return setmetatable({ left = left, right = right, columns = {} }, Places)
end

local function columns_of(box)
  return math.floor(box[1] / CELL), math.floor(box[3] / CELL)
end

--- Whether a box is free.
-- @tparam table box {left, top, right, bottom}
-- @treturn boolean
function Places:is_free(box)
  if box[1] < self.left or box[3] > self.right then
    return false
  end
  local first, last = columns_of(box)
  for column = first, last do
    for _, other in ipairs(self.columns[column] or {}) do
      if box[1] < other[3] and box[3] > other[1] and box[2] < other[4] and box[4] > other[2] then
        return false
      end
    end
  end
  return true
end

--- Takes a box, whatever is there.
-- @tparam table box
function Places:take(box)
  local first, last = columns_of(box)
  for column = first, last do
    self.columns[column] = self.columns[column] or {}
    table.insert(self.columns[column], box)
  end
end

--- Takes the first of some boxes that is free.
-- @tparam table list of boxes
-- @treturn ?integer which; nil: none was
function Places:try(list)
  for position, box in ipairs(list) do
    if self:is_free(box) then
      self:take(box)
      return position
    end
  end
  return nil
end

return places
