--- How a still picture looks: its colours by day and by night, patterns and arrowheads. Everything has a pattern, a
-- letter or a form besides its colour.
-- @module raft.view.svg_style

local svg_style = {}

-- What is drawn by a class: by day, by night.
local rules = {
  { "page", "fill:#ffffff", "fill:#0d1117" },
  { "text", "fill:#1f2328", "fill:#e6edf3" },
  { "dim", "fill:#59636e", "fill:#9198a1" },
  { "bad", "fill:#b3141f", "fill:#ff7b72" },
  { "halo", "stroke:#ffffff", "stroke:#0d1117" },
  { "line", "stroke:#d1d9e0", "stroke:#3d444d" },
  { "axis", "stroke:#59636e", "stroke:#9198a1" },
  { "leader", "fill:#1a7f37;stroke:#116329", "fill:#238636;stroke:#56d364" },
  { "on-leader", "fill:#ffffff", "fill:#ffffff" },
  { "follower", "fill:#dde7f1;stroke:#7d93a8", "fill:#222d3a;stroke:#6b8299" },
  { "learner", "fill:#eef3f8;stroke:#7d93a8;stroke-dasharray:3 2", "fill:#161d26;stroke:#6b8299;stroke-dasharray:3 2" },
  { "candidate", "fill:#ffd37a;stroke:#9a6700", "fill:#5c4308;stroke:#e3b341" },
  { "pre_candidate", "fill:#fff1cf;stroke:#9a6700", "fill:#33270a;stroke:#e3b341" },
  { "unknown", "fill:#f6f8fa;stroke:#9198a1", "fill:#151b23;stroke:#656c76" },
  { "hatch", "stroke:#9a6700", "stroke:#e3b341" },
  { "dot", "fill:#9a6700", "fill:#e3b341" },
  { "down", "fill:#f6f8fa;stroke:#b3141f;stroke-dasharray:4 3", "fill:#161b22;stroke:#ff7b72;stroke-dasharray:4 3" },
  { "pause", "stroke:#59636e", "stroke:#9198a1" },
  { "cut", "fill:#b3141f;fill-opacity:.07", "fill:#ff7b72;fill-opacity:.12" },
  { "cut-edge", "stroke:#b3141f;stroke-opacity:.45", "stroke:#ff7b72;stroke-opacity:.5" },
  { "vote", "stroke:#9a6700", "stroke:#e3b341" },
  { "append", "stroke:#0a58ca", "stroke:#58a6ff" },
  { "heartbeat", "stroke:#8c959f", "stroke:#7d8590" },
  { "other", "stroke:#7a3fc4", "stroke:#bc8cff" },
  { "lost", "stroke:#b3141f", "stroke:#ff7b72" },
  { "head-vote", "fill:#9a6700", "fill:#e3b341" },
  { "head-append", "fill:#0a58ca", "fill:#58a6ff" },
  { "head-heartbeat", "fill:#8c959f", "fill:#7d8590" },
  { "head-other", "fill:#7a3fc4", "fill:#bc8cff" },
  { "commit", "fill:#7a3fc4;stroke:#ffffff", "fill:#bc8cff;stroke:#0d1117" },
  { "fault", "fill:#59636e", "fill:#9198a1" },
}

local shared = table.concat({
  ".rb text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:10px}",
  ".rb .title{font-size:13px;font-weight:700}",
  ".rb .strong{font-weight:700}",
  ".rb .halo{stroke-width:3px;stroke-linejoin:round;paint-order:stroke}",
  ".rb .arrow{fill:none;stroke-width:1.3}",
  ".rb .answer{stroke-dasharray:4 2.5;stroke-width:1.1}",
  ".rb .lost{fill:none;stroke-width:1.3}",
  ".rb .bar{stroke-width:1}",
  ".rb .violation{stroke-width:2;stroke-dasharray:none}",
}, "\n")

--- The stylesheet.
-- @treturn string
function svg_style.sheet()
  local day, night = {}, {}
  for position, rule in ipairs(rules) do
    day[position] = (".rb .%s{%s}"):format(rule[1], rule[2])
    night[position] = (".rb .%s{%s}"):format(rule[1], rule[3])
  end
  return shared .. "\n" .. table.concat(day, "\n") .. "\n@media (prefers-color-scheme: dark){\n"
    .. table.concat(night, "\n") .. "\n}"
end

--- Patterns and arrowheads.
-- @treturn string
function svg_style.definitions()
  local parts = {
    '<pattern id="rb-candidate" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
      .. '<path class="hatch" d="M0 0V5" stroke-width="1.6"/></pattern>',
    '<pattern id="rb-pre_candidate" width="5" height="5" patternUnits="userSpaceOnUse">'
      .. '<circle class="dot" cx="2.5" cy="2.5" r=".9"/></pattern>',
    '<pattern id="rb-pause" width="6" height="6" patternUnits="userSpaceOnUse">'
      .. '<path class="pause" d="M2 0V6M4 0V6" stroke-width=".8"/></pattern>',
  }
  for _, name in ipairs { "vote", "append", "heartbeat", "other" } do
    parts[#parts + 1] = ('<marker id="rb-%s" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6.5" markerHeight="6.5" '
      .. 'markerUnits="userSpaceOnUse" orient="auto"><path class="head-%s" d="M0 0.6L8 4L0 7.4Z"/></marker>')
      :format(name, name)
  end
  return table.concat(parts, "\n")
end

return svg_style
