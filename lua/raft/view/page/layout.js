/*
 * layout: what stands where. Time goes to the right; below the axis come faults, a lane for each
 * node, lanes for clients, and plots. It knows pixels and times, and draws nothing.
 */

const AXIS = 30, BAND_ROW = 19, CLIENT_ROW = 18, GROUP_ROW = 24, PLOT_ROW = 92, BAR = 20;
const SPAN_LEAST = 2000; // ns that the window shows at least

const view = {
  from: 0, to: 1, // ns
  low: 0, high: 1, // the same in units of the axis
  byOrder: false, // whether each instant takes the same width, however long it is until the next
  width: 0, height: 0, // of the canvas
  left: 96, // the names
  scroll: 0, // pixels of the content above the canvas
  rows: [], // { type, top, height, ... } in the content
  content: 0,
};

const BEYOND = 1e6; // ns that a unit stands for before the first instant and behind the last one

/* A moment in units of the axis: its nanoseconds, or the number of its instant. */
function unitOf(time) {
  if (!view.byOrder) return time;
  const { instants, instantCount } = current.run, last = instantCount - 1;
  const place = lowerBound(instants, instantCount, time, true) - 1;
  if (place < 0) return (time - instants[0]) / BEYOND;
  if (place >= last) return last + (time - instants[last]) / BEYOND;
  return place + (time - instants[place]) / (instants[place + 1] - instants[place]);
}

function timeAt(unit) {
  if (!view.byOrder) return unit;
  const { instants, instantCount } = current.run, last = instantCount - 1, place = Math.floor(unit);
  if (place < 0) return instants[0] + unit * BEYOND;
  if (place >= last) return instants[last] + (unit - last) * BEYOND;
  return instants[place] + (unit - place) * (instants[place + 1] - instants[place]);
}

function xOf(time) {
  return view.left + (unitOf(time) - view.low) / (view.high - view.low) * (view.width - view.left);
}

function timeOf(x) {
  return timeAt(view.low + (x - view.left) / (view.width - view.left) * (view.high - view.low));
}

/* The rows for a run, in a canvas of that height. */
function layOut(run, shown, height) {
  const rows = [], lanes = run.nodes.map((_, lane) => lane).filter(lane => shown.lanes[lane]);
  let top = AXIS + 4;
  const add = (type, size, more) => {
    rows.push(Object.assign({ type, top, height: size }, more));
    top += size;
  };
  if (shown.kinds.faults && run.story.bandRows > 0) add("faults", bandRows(run) * BAND_ROW + 6);
  const clients = (run.clients || []).reduce((sum, group) =>
    sum + GROUP_ROW + (group.folded ? 0 : group.lanes.length * CLIENT_ROW) + 4, 0);
  const rest = height - top - run.plots.length * PLOT_ROW - clients - 8;
  const each = Math.max(66, Math.min(120, rest / Math.max(1, lanes.length)));
  for (const lane of lanes) add("node", Math.floor(each), { lane });
  for (const group of run.clients || []) {
    add("group", GROUP_ROW, { group });
    for (let lane = 0; lane < group.lanes.length && !group.folded; lane++) add("client", CLIENT_ROW, { group, lane });
    top += 4;
  }
  for (const plot of run.plots) add("plot", PLOT_ROW, { plot });
  view.rows = rows;
  view.content = top + 4;
  view.laneRow = run.nodes.map((_, lane) => rows.find(row => row.lane === lane && row.type === "node"));
}

/* How many rows of faults there is room for. */
function bandRows(run) {
  return Math.min(run.story.bandRows, view.width < 640 ? 2 : 4);
}

/* The middle of a node's bar in the canvas; undefined: that node is not shown. */
function middleOf(lane) {
  const row = view.laneRow[lane];
  return row && row.top + row.height / 2 - view.scroll;
}

/* Shows a stretch of the axis, kept near the run's and not narrower than can be told apart. */
function showUnits(low, high) {
  const { story } = current.run, first = unitOf(story.first), last = unitOf(story.last);
  const least = view.byOrder ? 4 : SPAN_LEAST, whole = Math.max(last - first, least);
  const span = Math.min(Math.max(high - low, least), whole * 1.25);
  view.low = Math.min(Math.max((low + high) / 2 - span / 2, first - span / 2), last - span / 2);
  view.high = view.low + span;
  view.from = timeAt(view.low);
  view.to = timeAt(view.high);
  requestDraw();
}

function showSpan(from, to) {
  showUnits(unitOf(from), unitOf(to));
}

function showAll() {
  const { story } = current.run, first = unitOf(story.first), last = unitOf(story.last);
  const margin = Math.max(last - first, 1) * 0.02;
  showUnits(first - margin, last + margin);
}

function zoom(factor, x) {
  const part = x === undefined ? 0.5 : (x - view.left) / (view.width - view.left);
  const at = view.low + part * (view.high - view.low);
  showUnits(at + (view.low - at) * factor, at + (view.high - at) * factor);
}

function pan(pixels) {
  const by = pixels / (view.width - view.left) * (view.high - view.low);
  showUnits(view.low + by, view.high + by);
}

/* Brings a moment into sight, moving as little as is needed. */
function reveal(time) {
  const span = view.high - view.low, margin = span * 0.08, unit = unitOf(time);
  if (unit < view.low + margin || unit > view.high - margin) showUnits(unit - span / 2, unit + span / 2);
  else requestDraw();
}

const TICK = 110; // pixels between two of them, at least

/* Times on the axis: { x, text }. Round ones, but where the axis goes by order. */
function ticks() {
  const list = [];
  if (view.byOrder) {
    for (let x = view.left; x < view.width; x += TICK) {
      const time = timeOf(x);
      list.push({ x, text: seconds(time, decimalsOf((timeOf(x + TICK) - time) / 10)) });
    }
    return list;
  }
  const least = (view.to - view.from) / Math.max(1, (view.width - view.left) / TICK);
  let step = Math.pow(10, Math.floor(Math.log10(least)));
  step *= [1, 2, 5, 10].find(factor => step * factor >= least);
  for (let time = Math.ceil(view.from / step) * step; time <= view.to; time += step)
    list.push({ x: xOf(time), text: seconds(time, decimalsOf(step)) });
  return list;
}

/* How many decimals of a second a step needs. */
function decimalsOf(step) {
  return Math.max(0, Math.min(9, 9 - Math.floor(Math.log10(Math.max(step, 1)) + 1e-9)));
}
