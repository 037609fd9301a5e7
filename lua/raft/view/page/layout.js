/*
 * layout: what stands where. Time goes to the right; below the axis come faults, a lane for each
 * node, lanes for clients, and plots. It knows pixels and times, and draws nothing.
 */

const AXIS = 30, BAND_ROW = 19, CLIENT_ROW = 18, GROUP_ROW = 24, PLOT_ROW = 92, BAR = 20;
const SPAN_LEAST = 2000; // ns that the window shows at least

const view = {
  from: 0, to: 1, // ns
  width: 0, height: 0, // of the canvas
  left: 96, // the names
  scroll: 0, // pixels of the content above the canvas
  rows: [], // { type, top, height, ... } in the content
  content: 0,
};

function xOf(time) {
  return view.left + (time - view.from) / (view.to - view.from) * (view.width - view.left);
}

function timeOf(x) {
  return view.from + (x - view.left) / (view.width - view.left) * (view.to - view.from);
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
  const clients = (run.clients || []).reduce((sum, group) => sum + GROUP_ROW + (group.folded ? 0 : group.lanes.length * CLIENT_ROW) + 4, 0);
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

/* Shows a stretch of time, kept near the run's and not narrower than can be told apart. */
function showSpan(from, to) {
  const { first, last } = current.run.story, whole = Math.max(last - first, SPAN_LEAST);
  let span = Math.min(Math.max(to - from, SPAN_LEAST), whole * 1.25);
  let start = (from + to) / 2 - span / 2;
  start = Math.min(Math.max(start, first - span / 2), last - span / 2);
  view.from = start;
  view.to = start + span;
  requestDraw();
}

function showAll() {
  const { first, last } = current.run.story, margin = Math.max(last - first, SPAN_LEAST) * 0.02;
  showSpan(first - margin, last + margin);
}

function zoom(factor, x) {
  const at = x === undefined ? timeOf((view.left + view.width) / 2) : timeOf(x);
  showSpan(at + (view.from - at) * factor, at + (view.to - at) * factor);
}

function pan(pixels) {
  const by = pixels / (view.width - view.left) * (view.to - view.from);
  showSpan(view.from + by, view.to + by);
}

/* Brings a moment into sight, moving as little as is needed. */
function reveal(time) {
  const span = view.to - view.from, margin = span * 0.08;
  if (time < view.from + margin || time > view.to - margin) showSpan(time - span / 2, time + span / 2);
  else requestDraw();
}

/* Times that are round and far enough apart: the step in ns, and how many decimals of a second it needs. */
function ticks() {
  const least = (view.to - view.from) / Math.max(1, (view.width - view.left) / 110);
  let step = Math.pow(10, Math.floor(Math.log10(least)));
  for (const factor of [1, 2, 5, 10]) {
    if (step * factor >= least) {
      step *= factor;
      break;
    }
  }
  return { step, decimals: Math.max(0, Math.min(9, 9 - Math.floor(Math.log10(step) + 1e-9))) };
}

function tickLabel(time, step, decimals) {
  if (step >= 1e9) return (time / 1e9).toFixed(0) + " s";
  return (time / 1e9).toFixed(decimals) + " s";
}
