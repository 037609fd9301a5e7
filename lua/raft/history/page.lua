--- The page that raft.history.picture fills with a history's data: its style and the code that draws. Nothing in it
-- comes from the network.
-- @module raft.history.page

local page = {}

page.style = [=[
:root { color-scheme: light dark; --back: #ffffff; --panel: #f5f6f8; --text: #1b2128; --faint: #66707c;
  --line: #d9dde2; --read: #d7e8fa; --read-edge: #4a86c5; --write: #dcefdc; --write-edge: #4c9a55;
  --cas: #eadffa; --cas-edge: #8760c4; --bad: #c62f2f; --bad-back: #fbdcdc; --mark: #b35900; --path: #1f6f78; }
@media (prefers-color-scheme: dark) { :root { --back: #14181d; --panel: #1d232a; --text: #e4e8ec; --faint: #93a0ad;
  --line: #333c46; --read: #1c3550; --read-edge: #6ba6e0; --write: #1d3b24; --write-edge: #69b574;
  --cas: #34264f; --cas-edge: #a98ae0; --bad: #ff7b72; --bad-back: #4d1f20; --mark: #f0a35c; --path: #5cc4cf; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 20px 24px 40px; background: var(--back); color: var(--text);
  font: 14px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 19px; margin: 0 0 2px; }
h1 b { color: var(--bad); font-weight: 600; }
h2 { font-size: 12px; margin: 0 0 6px; text-transform: uppercase; letter-spacing: .06em; color: var(--faint); }
p { margin: 0 0 8px; max-width: 78ch; }
.faint { color: var(--faint); }
.bar { display: flex; flex-wrap: wrap; gap: 6px 18px; align-items: center; margin: 12px 0 6px; font-size: 13px; }
.key { display: inline-flex; align-items: center; gap: 6px; color: var(--faint); }
.key i { width: 18px; height: 11px; border-radius: 3px; border: 1.5px solid; display: inline-block; }
label { cursor: pointer; user-select: none; }
#picture { position: relative; display: flex; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
#names { flex: none; border-right: 1px solid var(--line); background: var(--panel); font-size: 12px; }
#names div { height: 34px; line-height: 34px; padding: 0 12px; white-space: nowrap; color: var(--faint); }
#names div:first-child { height: 26px; }
#scroll { overflow-x: auto; flex: 1; }
svg { display: block; font: 12px system-ui, "Segoe UI", Arial, sans-serif; }
svg text { fill: var(--text); pointer-events: none; }
svg .tick { fill: var(--faint); font-size: 11px; }
svg .row { stroke: var(--line); stroke-width: 1; }
svg .op > rect { stroke-width: 1.4; cursor: pointer; }
svg .op:focus { outline: none; }
svg .op:focus > rect, svg .op:hover > rect { stroke-width: 2.4; }
svg .read > rect { fill: var(--read); stroke: var(--read-edge); }
svg .write > rect { fill: var(--write); stroke: var(--write-edge); }
svg .cas > rect { fill: var(--cas); stroke: var(--cas-edge); }
svg .unknown > rect { stroke-dasharray: 5 3; fill-opacity: .4; }
svg .aside { opacity: .5; }
svg .bad > rect { fill: var(--bad-back); stroke: var(--bad); stroke-width: 2.4; }
svg .chosen > rect { stroke: var(--path); stroke-width: 3; }
svg .badge rect { fill: var(--mark); stroke: none; }
svg .badge text { fill: var(--back); font-size: 10px; font-weight: 700; text-anchor: middle; }
svg .before { stroke: var(--mark); stroke-width: 1.6; fill: none; }
svg .tip { fill: var(--mark); }
svg .path { stroke: var(--path); stroke-width: 1.4; fill: none; opacity: .75; }
svg .step circle { fill: var(--path); }
svg .step text { fill: var(--back); font-size: 8.5px; font-weight: 700; text-anchor: middle; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 16px; margin-top: 16px; }
.panel { background: var(--panel); border-radius: 8px; padding: 12px 16px; min-width: 0; }
ul { margin: 4px 0 8px; padding-left: 18px; }
ul.plain { list-style: none; padding-left: 0; }
li { margin: 2px 0; overflow-wrap: anywhere; }
code { font: 12px ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; }
.num { display: inline-block; min-width: 17px; height: 17px; line-height: 17px; padding: 0 3px; border-radius: 9px;
  text-align: center; font-size: 11px; font-weight: 700; margin: 0 3px 0 1px;
  background: var(--mark); color: var(--back); }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
td, th { text-align: left; padding: 2px 10px 2px 0; vertical-align: top; border-top: 1px solid var(--line); }
th { color: var(--faint); font-weight: 500; border-top: 0; }
td:first-child { color: var(--faint); white-space: nowrap; }
td { overflow-wrap: anywhere; }
.steps { max-height: 320px; overflow-y: auto; }
]=]

page.script = [=[
"use strict";
const data = JSON.parse(document.getElementById("data").textContent), longest = data.longest || {};
const NS = "http://www.w3.org/2000/svg", ROW = 34, TOP = 26, BOX = 22;
let chosen = data.failing, only = false;

function el(name, attributes, parent, text) {
  const made = document.createElement(name);
  for (const key in attributes || {}) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.appendChild(made);
  return made;
}
function svg(name, attributes, parent, text) {
  const made = document.createElementNS(NS, name);
  for (const key in attributes || {}) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.appendChild(made);
  return made;
}

const ruler = document.createElement("canvas").getContext("2d");
ruler.font = '12px system-ui, "Segoe UI", Arial, sans-serif';

/* As wide as it takes to read what is in the boxes. */
function columnStarts(ops, columns) {
  const widths = Array(columns + 1).fill(14);
  for (const op of [...ops].sort((a, b) => a.to - a.from - (b.to - b.from))) {
    let has = 0;
    for (let column = op.from; column <= op.to; column++) has += widths[column];
    const lacks = Math.min(190, ruler.measureText(op.label).width + (op.marks ? 44 : 22)) - has;
    const more = Math.max(0, lacks) / (op.to - op.from + 1);
    for (let column = op.from; column <= op.to; column++) widths[column] += more;
  }
  const starts = [0];
  widths.forEach((width, column) => { starts[column + 1] = starts[column] + width; });
  return starts;
}

/* Columns: calls in a row share one, and so do returns in a row: who was before whom stays as it was. */
function layout() {
  const ops = data.operations.filter(op => !only || op.kept || op.id === data.failing);
  const events = [];
  for (const op of ops) {
    events.push({ at: op.invoke, op, call: true });
    if (op.complete) events.push({ at: op.complete, op, call: false });
  }
  events.sort((a, b) => a.at - b.at);
  let column = -1, last = null;
  const ticks = [];
  for (const event of events) {
    if (last !== event.call) {
      column++;
      last = event.call;
      ticks[column] = event.call ? event.op.began : event.op.ended;
    }
    if (event.call) event.op.from = column; else event.op.to = column;
  }
  const columns = column + 1, lanes = [];
  for (const op of ops) {
    if (!op.complete) op.to = columns;
    if (!lanes.includes(op.lane)) lanes.push(op.lane);
  }
  lanes.sort((a, b) => a - b);
  ops.forEach(op => { op.row = lanes.indexOf(op.lane); });
  return { ops, lanes, ticks, starts: columnStarts(ops, columns) };
}

function seconds(ns) { return ns >= 1e9 ? (ns / 1e9).toFixed(3) + " s" : (ns / 1e6).toFixed(2) + " ms"; }

function fit(text, width) {
  let cut = text;
  while (cut.length > 1 && ruler.measureText(cut).width > width - 12) cut = cut.slice(0, -2) + "…";
  return cut;
}

function box(plan, op) {
  const x = plan.starts[op.from] + 4, end = plan.starts[op.to + 1] - 4;
  return { x, width: Math.max(10, end - x), y: TOP + op.row * ROW + (ROW - BOX) / 2 };
}

function drawOperation(plan, op, parent) {
  const place = box(plan, op), marks = [op.kind];
  if (op.unknown) marks.push("unknown");
  if (!op.kept && op.id !== data.failing) marks.push("aside");
  if (op.id === data.failing) marks.push("bad");
  else if (op.id === chosen) marks.push("chosen");
  const group = svg("g",
    { class: "op " + marks.join(" "), tabindex: 0, role: "button", "aria-label": op.text }, parent);
  svg("title", {}, group, op.text);
  svg("rect", { x: place.x, y: place.y, width: place.width, height: BOX, rx: 4 }, group);
  const pill = op.marks ? 12 + op.marks.length * 5 : 0, left = op.marks ? pill + 1 : 0;
  for (let x = 0; x < Math.max(1, place.width - 300); x += 420)
    svg("text", { x: place.x + x + 6 + left, y: place.y + 15 }, group, fit(op.label, place.width - left));
  if (op.marks) {
    const badge = svg("g", { class: "badge" }, group);
    svg("rect", { x: place.x + 4, y: place.y + 3, width: pill, height: BOX - 6, rx: 8 }, badge);
    svg("text", { x: place.x + 4 + pill / 2, y: place.y + BOX / 2 + 3.5 }, badge, op.marks);
  }
  const choose = () => { chosen = op.id; draw(false); };
  group.addEventListener("click", choose);
  group.addEventListener("keydown", event => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); }
  });
}

/* "a returned before b began", for the two pairs of the certificate. */
function drawBefore(plan, a, b, parent) {
  const from = plan.ops.find(op => op.id === a), to = plan.ops.find(op => op.id === b);
  if (!from || !to) return;
  const start = box(plan, from), end = box(plan, to), x1 = start.x + start.width, x2 = end.x;
  const y1 = start.y + BOX / 2, y2 = end.y + BOX / 2, bend = Math.max(10, (x2 - x1) / 2);
  svg("path", { class: "before", d: `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 5} ${y2}` }, parent);
  svg("path", { class: "tip", d: `M${x2} ${y2} l-7 -4 v8 z` }, parent);
}

function drawSteps(plan, order, parent) {
  const points = [];
  let least = 0;
  order.steps.forEach((step, number) => {
    const op = plan.ops.find(one => one.id === step[0]);
    if (!op) return;
    const place = box(plan, op);
    const x = Math.min(Math.max(place.x + 8, least), place.x + place.width - 2);
    points.push({ x, y: place.y + BOX, number: number + order.first });
    least = x + 3;
  });
  if (points.length > 1)
    svg("polyline", { class: "path", points: points.map(p => p.x + "," + p.y).join(" ") }, parent);
  for (const point of points) {
    const group = svg("g", { class: "step" }, parent);
    svg("circle", { cx: point.x, cy: point.y, r: point.number < 100 ? 7 : 9 }, group);
    svg("text", { x: point.x, y: point.y + 3 }, group, point.number);
  }
}

function draw(first) {
  const plan = layout(), names = document.getElementById("names"), scroll = document.getElementById("scroll");
  names.textContent = "";
  el("div", {}, names);
  for (const lane of plan.lanes) el("div", {}, names, data.lanes[lane]);
  const width = Math.max(plan.starts[plan.starts.length - 1] + 20, scroll.clientWidth);
  const height = TOP + plan.lanes.length * ROW + 8, kept = scroll.scrollLeft;
  scroll.textContent = "";
  const root = svg("svg", { width, height }, scroll);
  let tickEnd = -100;
  plan.ticks.forEach((time, column) => {
    if (plan.starts[column] < tickEnd + 80) return;
    svg("text", { class: "tick", x: plan.starts[column] + 4, y: 16 }, root, seconds(time));
    tickEnd = plan.starts[column];
  });
  plan.lanes.forEach((_, row) => {
    svg("line", { class: "row", x1: 0, x2: width, y1: TOP + row * ROW, y2: TOP + row * ROW }, root);
  });
  for (const op of plan.ops) drawOperation(plan, op, root);
  if (chosen === data.failing) for (const pair of data.before) drawBefore(plan, pair[0], pair[1], root);
  else if (longest[chosen]) drawSteps(plan, longest[chosen], root);
  const failing = plan.ops.find(op => op.id === data.failing);
  scroll.scrollLeft = first && failing ? plan.starts[failing.to + 1] + 60 - scroll.clientWidth : kept;
  tell();
}

function tell() {
  const panel = document.getElementById("chosen"), op = data.operations.find(one => one.id === chosen);
  panel.textContent = "";
  el("h2", {}, panel, chosen === data.failing ? "The operation where it ends" : "The operation you chose");
  el("p", {}, panel, op.text);
  el("p", { class: "faint" }, panel, "called at " + seconds(op.began) + ", entry " + op.invoke
    + (op.complete ? " · returned at " + seconds(op.ended) + ", entry " + op.complete
      : " · never known to have returned"));
  const order = longest[chosen];
  if (chosen === data.failing) {
    el("p", {}, panel, "What is before its return can be explained; with it nothing can. "
      + "Choose another operation to see the longest order that holds it.");
  } else if (!order) {
    el("p", { class: "faint" }, panel, "It is not needed to see the failure, so no order was kept for it.");
  } else {
    el("p", {}, panel, "The longest order that holds it, and the state after each step:");
    const table = el("table", {}, el("div", { class: "steps" }, panel)), head = el("tr", {}, table);
    for (const text of ["", "operation", "state"]) el("th", {}, head, text);
    order.steps.forEach((step, number) => {
      const row = el("tr", {}, table);
      el("td", {}, row, number + order.first);
      el("td", {}, row, data.texts[step[0]]);
      el("code", {}, el("td", {}, row), step[1]);
    });
  }
}

document.getElementById("only").addEventListener("change", event => { only = event.target.checked; draw(true); });
draw(true);
]=]

return page
