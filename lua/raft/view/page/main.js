/*
 * main: what the page shows at present, and its beginning. A frame is drawn when something has
 * changed, never otherwise. `window.raftbench` is for specs and for the browser's console.
 */

const current = {
  runs: [], run: null, filter: null,
  opening: 0, // how many runs were opened: what is read for an earlier one is not shown
  time: 0, position: -1, // the moment, and the last event before or at it
  chosen: -1, hover: -1, operation: null,
  tab: "state", stale: true, // the panel has to be filled again
  waits: false,
};

function requestDraw() {
  if (current.waits || !current.run) return;
  current.waits = true;
  requestAnimationFrame(() => {
    current.waits = false;
    const { run, filter } = current;
    if (!run) return;
    drawDiagram(run, filter);
    drawOverview(run);
    setTimeout(refreshWords, 0); // in a task of its own: the frame does not wait for it
  });
}

function refreshWords() {
  if (!current.run) return;
  refreshPanel(current.run);
  refreshLanes(current.run);
}

// ---- the moment and the event ----------------------------------------------------------------

function setMoment(time, position) {
  const { run } = current;
  current.time = time;
  current.position = position === undefined ? run.firstFrom(time, true) - 1 : position;
  const { first, last } = run.story, slider = byId("time");
  slider.value = Math.round((time - first) / Math.max(1, last - first) * 10000);
  slider.setAttribute("aria-valuetext", seconds(time));
  byId("now").textContent = seconds(time);
  current.stale = true;
  requestDraw();
}

/* An event is chosen; -1: none is. `move`: brought into sight. */
function choose(at, move) {
  const { run } = current;
  current.chosen = at;
  current.operation = null;
  current.stale = true;
  history.replaceState(null, "", at < 0 ? "#" : `#run=${current.number + 1}&event=${at + 1}`);
  if (at < 0) {
    showTab("state");
    return;
  }
  setMoment(run.time[at], at);
  byId("said").textContent = `${seconds(run.time[at])} ${sentence(run, at)}`;
  if (current.tab === "state") showTab("event");
  if (move) {
    reveal(run.time[at]);
    const row = run.lane[at] === NOBODY ? null : view.laneRow[run.lane[at]], diagram = byId("diagram");
    if (row && (row.top < diagram.scrollTop + AXIS || row.top + row.height > diagram.scrollTop + view.height))
      diagram.scrollTop = row.top - AXIS;
  }
  tellFound();
  requestDraw();
}

function chooseOperation(group, number) {
  current.chosen = -1;
  current.operation = { group, number };
  setMoment(group.end[number] >= 0 ? group.end[number] : group.begin[number]);
  showTab("event");
}

/* The event that the address names, as #run=1&event=7 does; whether there is one. */
function showLinked() {
  const [, run, event] = /^#run=(\d+)&event=(\d+)$/.exec(location.hash) || [];
  const at = Number(event) - 1;
  if (Number(run) !== current.number + 1 || !(at < current.run.count)) return false;
  const { time, count } = current.run, from = time[Math.max(0, at - 40)], to = time[Math.min(count - 1, at + 40)];
  showSpan(from, Math.max(to, from + 2e6));
  choose(at, true);
  return true;
}

/* The violation, or the operation at which a history ends; whether there is one. */
function showTrouble() {
  const { run } = current, at = run.story.alarms[0];
  if (at !== undefined) {
    const from = run.time[Math.max(0, at - 60)], to = run.time[Math.min(run.count - 1, at + 20)];
    const half = Math.max(run.time[at] - from, to - run.time[at], 2e6);
    showSpan(run.time[at] - 1.3 * half, run.time[at] + 0.7 * half);
    choose(at, false);
    return true;
  }
  const group = (run.clients || []).find(one => one.verdict === "no" && one.failing >= 0);
  if (!group) return false;
  const begin = group.begin[group.failing], end = endOf(group, group.failing), span = Math.max(end - begin, 1e6);
  showSpan(begin - 6 * span, end + 4 * span);
  chooseOperation(group, group.failing);
  const row = view.rows.find(one => one.group === group && one.lane === group.lane[group.failing]);
  if (row && row.top + row.height > view.height) byId("diagram").scrollTop = row.top - view.height / 2;
  return true;
}

// ---- names beside the lanes ------------------------------------------------------------------

function fillLanes() {
  const list = byId("lanes");
  list.textContent = "";
  const { run } = current;
  for (const row of view.rows) {
    const item = element("li", { class: "lane " + row.type, style: `top:${row.top}px;height:${row.height}px` }, list);
    if (row.type === "node") {
      item.dataset.lane = run.nodes[row.lane];
      element("b", {}, item, run.nameOf(row.lane));
      row.said = element("span", { class: "faint" }, item);
    } else if (row.type === "faults") {
      element("span", {}, item, "faults");
    } else if (row.type === "group") {
      item.dataset.history = row.group.name;
      foldButton(row.group, item);
      element("span", { class: "judged " + row.group.verdict }, item, VERDICTS[row.group.verdict]);
    } else if (row.type === "client") {
      item.dataset.client = row.group.lanes[row.lane];
      element("span", { class: "faint" }, item, row.group.lanes[row.lane]);
    } else {
      item.dataset.plot = row.plot.id;
      element("b", {}, item, row.plot.title);
      element("span", { class: "faint" }, item, row.plot.what);
    }
  }
}

function foldButton(group, parent) {
  const button = element("button", { type: "button", "aria-expanded": String(!group.folded),
    title: "show or hide its clients" }, parent, (group.folded ? "▸ " : "▾ ") + group.name);
  button.addEventListener("click", () => {
    group.folded = !group.folded;
    resize();
  });
}

/* Beside its name stands what a node is at the moment. */
function refreshLanes(run) {
  const isNew = refreshLanes.at !== current.position || refreshLanes.run !== run;
  const rows = view.rows.filter(row => row.type === "node");
  if (!isNew && rows.every(row => row.said.textContent)) return;
  const nodes = run.states.after(current.position);
  Object.assign(refreshLanes, { at: current.position, run });
  for (const row of rows) {
    const node = nodes[row.lane];
    row.said.textContent = upOf(node)[1] + (node.up === "absent" ? "" : " " + run.termWords(node.term));
  }
}

// ---- the beginning ---------------------------------------------------------------------------

function resize() {
  const { run, filter } = current, diagram = byId("diagram");
  if (!run) return;
  view.left = innerWidth < 640 ? 74 : 112;
  document.documentElement.style.setProperty("--left", view.left + "px");
  view.width = diagram.clientWidth;
  view.height = diagram.clientHeight;
  layOut(run, filter, view.height);
  byId("sizer").style.height = Math.max(view.content, view.height) + "px";
  paint.scale = Math.min(devicePixelRatio || 1, 2);
  paint.patterns = {};
  paint.changes++;
  for (const [canvas, width, height] of [[paint.canvas, view.width, view.height],
    [overview.canvas, overview.canvas.clientWidth, overview.height]]) {
    canvas.width = Math.round(width * paint.scale);
    canvas.height = Math.round(height * paint.scale);
    canvas.style.height = height + "px";
  }
  paint.pen.fillStyle = paint.colours.back; // it is black when new, and the next frame may be long in coming
  paint.pen.fillRect(0, 0, paint.canvas.width, paint.canvas.height);
  overview.width = overview.canvas.clientWidth;
  overview.still = null;
  view.scroll = diagram.scrollTop;
  fillLanes();
  requestDraw();
}

async function readRun(number) {
  const { head, chunks } = current.runs[number], run = new Run(head, chunks);
  run.states = new States(run);
  run.story = new Story(run, run.states);
  await run.read(at => {
    run.states.take(at);
    run.story.take(at);
  }, part => { byId("progress").value = part; });
  await run.story.finish();
  prepareClients(run);
  await breathe();
  run.plots = makePlots(run);
  return run;
}

async function openRun(number) {
  const loading = byId("loading"), opening = ++current.opening;
  loading.hidden = false;
  current.run = null;
  const run = await readRun(number);
  if (current.opening !== opening) return;
  Object.assign(current, { run, filter: new Filter(run), chosen: -1, hover: -1, operation: null, position: -1,
    number, tab: "state" });
  if (current.runs.length > 1) byId("run").value = number;
  fillHead(run);
  fillAlert(run);
  const counts = await countCategories(run);
  if (current.opening !== opening) return;
  fillTools(run, current.filter, counts);
  loading.hidden = true;
  resize();
  showTab("state");
  setMoment(run.story.last);
  setAxis(run.mode === "tcp" || run.mode === "process"); // where much happens in little time, and then nothing
  showAll();
  if (!showLinked()) showTrouble();
  startSearch(byId("query").value.trim());
}

async function begin() {
  paint.canvas = byId("canvas");
  paint.pen = paint.canvas.getContext("2d", { alpha: false });
  overview.canvas = byId("overview");
  overview.pen = overview.canvas.getContext("2d");
  readColours();
  current.runs = findRuns();
  if (current.runs.length === 0) {
    byId("loading").textContent = "There is no event in this trace.";
    return;
  }
  fillRuns();
  listenToTools();
  listenToSearch();
  listenToKeys();
  listenToPointer();
  listenToOverview();
  new ResizeObserver(resize).observe(byId("diagram"));
  const failed = current.runs.findIndex(({ head }) => head.verdict === "failed" || head.violated);
  const linked = Number((/^#run=(\d+)/.exec(location.hash) || [])[1]) - 1;
  await openRun(current.runs[linked] ? linked : Math.max(0, failed));
  document.documentElement.dataset.ready = Math.round(performance.now());
}

window.raftbench = {
  current, view, paint, choose, setMoment, showSpan, showAll, zoom, pan, openRun, search,
  say: at => sentence(current.run, at),
  fields: at => current.run.fields(at),
  stateAfter: at => current.run.states.after(at).map(node => Object.assign(copyNode(node), { log: node.log.copy() })),
  stateAt: time => window.raftbench.stateAfter(current.run.firstFrom(time, true) - 1),
  placeOf: at => placeOf(current.run, at),
};

begin();
