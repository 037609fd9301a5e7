/*
 * keys: everything can be done from the keyboard. The list below is also what the overlay shows.
 */

const KEYS = [
  ["← →", "pan; with Shift: a whole window"],
  ["+ −", "zoom in, zoom out; the wheel does it at the pointer"],
  ["0", "the whole run"],
  ["O", "even steps: each instant takes the same width; for bursts"],
  ["[ ]", "the event before, the next event"],
  ["{ }", "the same, of the chosen event's node"],
  ["Backspace", "what the chosen event came from"],
  ["Enter", "what came of it"],
  ["V", "the next violation"],
  ["E", "the next election that was won"],
  ["F", "the next fault"],
  ["H", "heartbeats: shown or hidden"],
  ["/", "search; then N and Shift+N: next and previous match"],
  ["1 2 3", "panel: state, event, list"],
  ["T", "light or dark"],
  ["Home End", "to the start, to the end"],
  ["Esc", "nothing chosen"],
  ["?", "this page"],
];

const ACTIONS = {
  ArrowLeft: event => pan(-(view.width - view.left) * (event.shiftKey ? 0.9 : 0.12)),
  ArrowRight: event => pan((view.width - view.left) * (event.shiftKey ? 0.9 : 0.12)),
  "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), _: () => zoom(1 / 0.6),
  0: () => showAll(),
  o: () => byId("order").click(),
  "[": () => step(-1), "]": () => step(1),
  "{": () => step(-1, true), "}": () => step(1, true),
  Backspace: () => follow(causesOf, true), Enter: () => follow(effectsOf, false),
  v: () => nextOf(current.run.story.alarms),
  e: () => nextOf(current.run.story.elections.at),
  f: () => nextOf(current.run.story.bands.map(band => band.at)),
  h: () => toggleKind("heartbeats"),
  "/": () => byId("query").focus(),
  n: () => goToMatch(true), N: () => goToMatch(false),
  1: () => showTab("state"), 2: () => showTab("event"), 3: () => showTab("near"),
  t: () => switchTheme(),
  Home: () => choose(0, true), End: () => choose(current.run.count - 1, true),
  Escape: () => choose(-1),
  "?": () => showKeys(),
};

/* The next event that is shown, or the one before. */
function step(direction, sameNode) {
  const { run, filter, chosen } = current;
  let at = chosen >= 0 ? chosen : direction > 0 ? current.position : current.position + 1;
  for (at += direction; at >= 0 && at < run.count; at += direction) {
    if (!filter.shows(run, at) || (sameNode && chosen >= 0 && run.lane[at] !== run.lane[chosen])) continue;
    choose(at, true);
    return;
  }
}

function follow(links, last) {
  if (current.chosen < 0) return;
  const list = links(current.run, current.chosen);
  if (list.length > 0) choose(last ? list[list.length - 1] : list[0], true);
}

/* The first of them behind the present event; behind the last one, the first. */
function nextOf(list) {
  const from = current.chosen >= 0 ? current.chosen : current.position;
  const sorted = [...list].sort((a, b) => a - b);
  const next = sorted.find(at => at > from);
  if (sorted.length > 0) choose(next === undefined ? sorted[0] : next, true);
}

function listenToKeys() {
  document.addEventListener("keydown", event => {
    const target = event.target, isTyping = target.matches("input[type=search], input[type=number], select");
    if (event.key === "Escape" && isTyping) byId("diagram").focus();
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (target.matches("button, [role=tab]") && (event.key === "Enter" || event.key === " ")) return;
    if (target.matches("input[type=range]") && /^(Arrow|Home|End)/.test(event.key)) return;
    if (target.matches("[role=tab]") && /^Arrow/.test(event.key)) {
      turnTab(event.key === "ArrowRight" ? 1 : -1);
      return;
    }
    const action = ACTIONS[event.key] || ACTIONS[event.key.toLowerCase()];
    if (!action || !current.run) return;
    event.preventDefault();
    action(event);
  });
}

function turnTab(by) {
  const names = Object.keys(TABS);
  const name = names[(names.indexOf(current.tab) + by + names.length) % names.length];
  showTab(name);
  byId("tab-" + name).focus();
}

// ---- the overlay -----------------------------------------------------------------------------

/* Each sign as the diagram draws it, in 46 by 22 pixels. */
const SIGNS = [
  [() => drawRole(LEADER, termColour(1), 2, 1, 42), "leader; the colour is the term, here and in logs"],
  [() => drawRole(2, termColour(2), 2, 1, 42), "candidate"],
  [() => drawRole(1, termColour(2), 2, 1, 42), "pre-candidate: it asks whether it could win"],
  [() => drawRole(0, termColour(1), 2, 1, 42), "follower"],
  [() => drawRole(4, termColour(1), 2, 1, 42), "learner"],
  [() => drawSpell(current.run, DOWN, 0, 2, 44, 11, true), "crashed or stopped"],
  [() => sampleArrow("m-replication", [], "head"), "a message: append"],
  [() => sampleArrow("m-votes", [5, 3], "head"), "an answer: dashed; elections have this colour"],
  [() => sampleArrow("m-votes", [5, 3], "hollow"), "the answer is no"],
  [() => sampleArrow("bad", [], "cross"), "a message that is lost"],
  [() => sampleArrow("m-replication", [], "ring"), "nothing more is known of it"],
  [() => sampleGlyphs("append", "commit", "apply"), "above the bar: appended, committed, applied"],
  [() => sampleGlyphs("vote", "start", "members"), "a vote; a start, stop or fault; new members"],
  [() => sampleGlyphs("write", "sync", "snapshot"), "below the bar: written, synced, a snapshot"],
];

function sampleArrow(colour, dash, end) {
  const { pen, colours } = paint;
  pen.strokeStyle = pen.fillStyle = colours[colour];
  pen.lineWidth = 1.2;
  pen.setLineDash(dash);
  pen.beginPath();
  pen.moveTo(3, 4);
  pen.lineTo(40, 17);
  pen.stroke();
  pen.setLineDash([]);
  if (end === "cross") drawCross(40, 17, 4, 2);
  else if (end === "ring") drawRing(40, 17);
  else drawHead(3, 4, 40, 17, end === "hollow");
}

function sampleGlyphs(...kinds) {
  const { pen, colours } = paint;
  kinds.forEach((kind, number) => {
    const [, draw, colour, width] = GLYPHS[kind];
    pen.fillStyle = pen.strokeStyle = colour === "term" ? termColour(1) : colours[colour];
    pen.lineWidth = width || 1.2;
    draw(pen, 8 + number * 15, 11);
  });
}

/* Draws with the diagram's own hand on a small canvas. */
function sampleOf(draw, parent) {
  const canvas = element("canvas", { width: 46 * paint.scale, height: 22 * paint.scale, "aria-hidden": true }, parent);
  const kept = paint.pen;
  paint.pen = canvas.getContext("2d");
  paint.pen.scale(paint.scale, paint.scale);
  paint.pen.textBaseline = "middle";
  draw();
  paint.pen = kept;
}

function showKeys() {
  const dialog = byId("keys");
  dialog.textContent = "";
  const head = element("div", { class: "dialog-head" }, dialog);
  element("h2", {}, head, "Keys and signs");
  closeButton(head, dialog);
  const columns = element("div", { class: "columns" }, dialog);
  const table = element("table", {}, columns);
  element("caption", {}, table, "Keys");
  for (const [keys, what] of KEYS) {
    const row = element("tr", {}, table), head = element("th", { scope: "row" }, row);
    for (const key of keys.split(" ")) element("kbd", {}, head, key);
    element("td", {}, row, what);
  }
  const signs = element("div", {}, columns);
  element("h3", {}, signs, "Signs");
  const list = element("ul", { class: "signs" }, signs);
  for (const [draw, what] of SIGNS) {
    const item = element("li", {}, list);
    sampleOf(draw, item);
    element("span", {}, item, what);
  }
  element("p", { class: "faint" }, signs, "Drag to pan, wheel or two fingers to zoom, Shift and wheel to pan. "
    + "A click on nothing sets the moment.");
  dialog.showModal();
}

function closeButton(parent, dialog) {
  const button = element("button", { type: "button", "aria-label": "Close" }, parent, "✕");
  button.addEventListener("click", () => dialog.close());
}
