/*
 * draw: the diagram on a canvas. A frame draws only what is seen, and at most so many marks; where
 * there are more, it draws how many there are instead. It remembers what it has drawn and where, so
 * that it can be pointed at.
 */

const MARKS_MOST = 2500, ARROWS_MOST = 1500, LABELS_MOST = 60, SPELLS_MOST = 3000;

const paint = {
  canvas: null, pen: null, scale: 1, colours: {}, patterns: {},
  marks: [], // { x, y, at }
  arrows: [], // { x0, y0, x1, y1, at }
  boxes: [], // { x, y, width, height, operation | band }
  crowded: 0, // messages that were too many to draw
  changes: 0, // of size, colours, filters and runs: what was drawn before them is stale
};

const FONT = '12px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif';
const SMALL = '11px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif';
const BOLD = '600 12px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif';
const TERM_COLOURS = 8;

/* The theme's colours, as the style sheet has them. */
function readColours() {
  const style = getComputedStyle(document.documentElement), colours = {};
  for (const name of ["back", "panel", "text", "faint", "line", "grid", "accent", "bad", "bad-back", "good", "warn",
    "term-none", "on-term", "m-replication", "m-votes", "m-snapshots", "m-clients", "m-other", "m-heartbeats"])
    colours[name] = style.getPropertyValue("--" + name).trim();
  for (let number = 0; number < TERM_COLOURS; number++)
    colours["term" + number] = style.getPropertyValue("--term-" + number).trim();
  paint.colours = colours;
  paint.patterns = {};
  paint.changes++;
}

function termColour(term) {
  return term > 0 ? paint.colours["term" + (term - 1) % TERM_COLOURS] : paint.colours["term-none"];
}

/* Stripes: a sign that does not rest on colour. */
function stripes(colour, kind) {
  const key = colour + kind;
  if (!paint.patterns[key]) {
    const tile = document.createElement("canvas"), size = kind === "dots" ? 6 : 8;
    tile.width = tile.height = size * paint.scale;
    const pen = tile.getContext("2d");
    pen.scale(paint.scale, paint.scale);
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = kind === "thick" ? 3 : 1.4;
    pen.beginPath();
    if (kind === "dots") {
      pen.arc(2, 2, 1, 0, 7);
      pen.fill();
    } else {
      for (const shift of [-size, 0, size]) {
        pen.moveTo(shift - 1, size + 1);
        pen.lineTo(shift + size + 1, -1);
      }
      if (kind === "cross") {
        pen.moveTo(-1, -1);
        pen.lineTo(size + 1, size + 1);
      }
      pen.stroke();
    }
    const pattern = paint.pen.createPattern(tile, "repeat");
    pattern.setTransform(new DOMMatrix().scale(1 / paint.scale));
    paint.patterns[key] = pattern;
  }
  return paint.patterns[key];
}

function box(x, y, width, height, radius) {
  paint.pen.beginPath();
  paint.pen.roundRect(x, y, width, height, Math.min(radius, width / 2, height / 2));
}

/* A text that is cut where there is no room for it; whether any of it was drawn. */
function label(text, x, y, room, colour, font) {
  const { pen } = paint;
  if (room < 14) return false;
  pen.font = font || SMALL;
  let said = text;
  if (pen.measureText(said).width > room) {
    const keep = Math.floor(said.length * room / pen.measureText(said).width) - 1;
    if (keep < 3) return false;
    said = said.slice(0, keep) + "…";
  }
  pen.fillStyle = colour;
  pen.fillText(said, x, y);
  return true;
}

// ---- the frame -------------------------------------------------------------------------------

function drawDiagram(run, filter) {
  const { pen } = paint;
  pen.setTransform(paint.scale, 0, 0, paint.scale, 0, 0);
  pen.textBaseline = "middle";
  if (!showStill()) {
    drawStretch(run, filter);
    keepStill();
  }
  pen.save();
  clipToLanes();
  drawChosen(run);
  drawMoment(run);
  pen.restore();
  drawAxis();
  byId("hint").hidden = paint.crowded === 0;
}

function clipToLanes() {
  paint.pen.beginPath();
  paint.pen.rect(view.left, AXIS, view.width - view.left, view.height - AXIS);
  paint.pen.clip();
}

/* All that does not depend on the moment and on what is chosen. */
function drawStretch(run, filter) {
  const { pen, colours } = paint;
  pen.fillStyle = colours.back;
  pen.fillRect(0, 0, view.width, view.height);
  paint.marks = [];
  paint.arrows = [];
  paint.boxes = [];
  pen.save();
  clipToLanes();
  drawGrid();
  for (const row of view.rows) {
    const top = row.top - view.scroll;
    if (top > view.height || top + row.height < AXIS) continue;
    if (row.type === "node") drawLane(run, filter, row);
    else if (row.type === "faults") drawFaults(run, row);
    else if (row.type === "plot") drawPlot(run, row);
    else if (row.type === "client") drawOperations(row);
    else drawLine(top + row.height - 0.5);
  }
  drawMessages(run, filter);
  drawAllMarks(run, filter);
  pen.restore();
}

/* The last stretch is kept as a picture, until something of it changes. */
const still = { canvas: null, key: "", marks: 0, arrows: 0, boxes: 0 };

function stretchKey() {
  return [view.low, view.high, view.scroll, view.byOrder, paint.changes].join();
}

function keepStill() {
  if (!still.canvas) still.canvas = document.createElement("canvas");
  const { canvas } = still;
  canvas.width = paint.canvas.width;
  canvas.height = paint.canvas.height;
  canvas.getContext("2d", { alpha: false }).drawImage(paint.canvas, 0, 0);
  still.key = stretchKey();
  for (const name of ["marks", "arrows", "boxes"]) still[name] = paint[name].length;
}

function showStill() {
  if (!still.canvas || still.key !== stretchKey()) return false;
  for (const name of ["marks", "arrows", "boxes"]) paint[name].length = still[name];
  paint.pen.drawImage(still.canvas, 0, 0, view.width, view.height);
  return true;
}

function drawGrid() {
  const { pen, colours } = paint;
  pen.strokeStyle = colours.grid;
  pen.lineWidth = 1;
  pen.beginPath();
  for (const tick of ticks()) {
    const x = Math.round(tick.x) + 0.5;
    pen.moveTo(x, AXIS);
    pen.lineTo(x, view.height);
  }
  pen.stroke();
}

function drawLine(y) {
  paint.pen.fillStyle = paint.colours.line;
  paint.pen.fillRect(view.left, Math.round(y), view.width - view.left, 1);
}

function drawAxis() {
  const { pen, colours } = paint;
  pen.fillStyle = colours.panel;
  pen.fillRect(0, 0, view.width, AXIS);
  pen.fillStyle = colours.line;
  pen.fillRect(0, AXIS - 1, view.width, 1);
  pen.save();
  pen.beginPath();
  pen.rect(view.left, 0, view.width - view.left, AXIS);
  pen.clip();
  pen.font = SMALL;
  for (const tick of ticks()) {
    const x = Math.round(tick.x);
    pen.fillStyle = colours.line;
    pen.fillRect(x, AXIS - 7, 1, 6);
    pen.fillStyle = colours.faint;
    pen.fillText(tick.text, x + 5, AXIS / 2);
  }
  drawFlags();
  pen.restore();
}

/* On the axis: where something was violated, and the chosen moment. */
function drawFlags() {
  const { pen, colours } = paint, run = current.run;
  for (const at of run.story.alarms) {
    const x = xOf(run.time[at]);
    pen.fillStyle = colours.bad;
    box(x - 8, 6, 16, 16, 4);
    pen.fill();
    pen.fillStyle = colours.back;
    pen.font = BOLD;
    pen.textAlign = "center";
    pen.fillText("!", x, 14.5);
    pen.textAlign = "left";
    paint.boxes.push({ x: x - 8, y: 6, width: 16, height: 16, at });
  }
  const x = xOf(current.time);
  pen.fillStyle = colours.accent;
  pen.beginPath();
  pen.moveTo(x - 6, AXIS - 9);
  pen.lineTo(x + 6, AXIS - 9);
  pen.lineTo(x, AXIS - 1);
  pen.fill();
}

function drawMoment(run) {
  const { pen, colours } = paint;
  for (const at of run.story.alarms) {
    const x = xOf(run.time[at]);
    pen.strokeStyle = colours.bad;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x, AXIS);
    pen.lineTo(x, view.height);
    pen.stroke();
  }
  if (run.story.alarms.some(at => run.time[at] === current.time)) return;
  const x = Math.round(xOf(current.time)) + 0.5;
  pen.strokeStyle = colours.accent;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(x, AXIS);
  pen.lineTo(x, view.height);
  pen.stroke();
}

// ---- lanes -----------------------------------------------------------------------------------

function drawLane(run, filter, row) {
  const top = row.top - view.scroll, middle = top + row.height / 2;
  drawLine(top + row.height - 1);
  drawIsolation(run, row, top);
  drawSpells(run, filter, row, middle);
  drawNodeBands(run, row, middle);
}

const ROLE_WORDS = { "-1": "role unknown", 0: "follower", 1: "pre-candidate", 2: "candidate", 3: "leader",
  4: "learner" };
const ROLE_LETTERS = { 1: "P", 2: "C", 3: "L" };

function drawSpells(run, filter, row, middle) {
  const spells = run.story.spells[row.lane], count = spells.time.length;
  let place = Math.max(0, lowerBound(spells.time, count, view.from, true) - 1);
  for (let drawn = 0; place < count && spells.time[place] <= view.to && drawn < SPELLS_MOST; drawn++) {
    const from = Math.max(spells.time[place], view.from), role = spells.role[place], term = spells.term[place];
    let next = place + 1;
    if (next < count && xOf(spells.time[next]) - xOf(from) < 1) // what is too short to be seen is one mark
      next = Math.max(next, lowerBound(spells.time, count, timeOf(xOf(from) + 1)) - 1);
    const to = Math.min(next < count ? spells.time[next] : run.story.last, view.to);
    if (to > from) drawSpell(run, role, term, xOf(from), xOf(to), middle, filter.anyTerm || filter.hasTerm(term));
    place = next;
  }
}

function drawSpell(run, role, term, x0, x1, middle, vivid) {
  const words = run.termWords(term), { pen, colours } = paint;
  const colour = termColour(term), width = Math.max(1, x1 - x0), y = middle - BAR / 2;
  pen.globalAlpha = vivid ? 1 : 0.25;
  if (role === ABSENT) {
    pen.fillStyle = colours.line;
    pen.fillRect(x0, middle - 0.5, width, 1);
  } else if (role === DOWN) {
    pen.fillStyle = colours.panel;
    pen.fillRect(x0, y, width, BAR);
    pen.fillStyle = stripes(colours.faint, "cross");
    pen.globalAlpha *= 0.35;
    pen.fillRect(x0, y, width, BAR);
  } else {
    drawRole(role, colour, x0, y, width);
    const text = `${ROLE_WORDS[role]} ${words}`;
    const ink = role === LEADER ? colours["on-term"] : colours.text;
    const x = Math.max(x0 + 6, view.left + 6), room = x0 + width - x - 4;
    if (!label(text, x, middle + 0.5, room, ink, role === LEADER ? BOLD : SMALL) && room > 16)
      label(`${ROLE_LETTERS[role] || ""}${words}`, x - 3, middle + 0.5, room + 4, ink, SMALL);
  }
  pen.globalAlpha = 1;
}

function drawRole(role, colour, x, y, width) {
  const { pen } = paint, alpha = pen.globalAlpha;
  pen.fillStyle = colour;
  if (role === LEADER) {
    box(x, y, width, BAR, width > 8 ? 4 : 0);
    pen.fill();
    return;
  }
  pen.globalAlpha = alpha * 0.2;
  pen.fillRect(x, y + 2, width, BAR - 4);
  pen.globalAlpha = alpha;
  if (role === 1 || role === 2) {
    pen.globalAlpha = alpha * 0.55;
    pen.fillStyle = stripes(colour, role === 2 ? "thick" : "thin");
    pen.fillRect(x, y + 2, width, BAR - 4);
  } else if (role === 4) {
    pen.fillStyle = stripes(colour, "dots");
    pen.fillRect(x, y + 2, width, BAR - 4);
  }
  pen.globalAlpha = alpha * 0.8;
  pen.fillStyle = colour;
  pen.fillRect(x, y + BAR - 3, width, 1.5);
  pen.fillRect(x, y + 1.5, 1, BAR - 4);
  pen.globalAlpha = alpha;
}

/* Bands that overlap the view, none narrower than half a pixel twice at the same place. */
function eachBand(run, call) {
  for (const band of run.story.bands) {
    if (band.to < view.from || band.from > view.to) continue;
    const x0 = Math.max(xOf(band.from), view.left - 4), x1 = Math.min(xOf(band.to), view.width + 4);
    call(band, x0, Math.max(1.5, x1 - x0));
  }
}

function drawNodeBands(run, row, middle) {
  const { pen, colours } = paint;
  eachBand(run, (band, x, width) => {
    if (band.lanes[0] !== row.lane || (band.type !== "crash" && band.type !== "pause")) return;
    const y = middle - BAR / 2;
    if (band.type === "pause") {
      pen.fillStyle = colours.back;
      pen.globalAlpha = 0.55;
      pen.fillRect(x, y, width, BAR);
      pen.globalAlpha = 0.8;
      pen.fillStyle = stripes(colours.warn, "thin");
      pen.fillRect(x, y, width, BAR);
      pen.globalAlpha = 1;
    }
    pen.font = SMALL;
    const text = (band.type === "pause" ? "‖ " : "✕ ") + band.label, size = pen.measureText(text).width;
    const left = Math.max(x, view.left);
    if (x + width - left > size + 14) {
      pen.fillStyle = colours.back;
      box(left + 4, middle - 8, size + 8, 16, 8);
      pen.fill();
      label(text, left + 8, middle + 0.5, size + 2, band.type === "pause" ? colours.warn : colours.bad, SMALL);
    }
    paint.boxes.push({ x, y, width, height: BAR, at: band.at, weak: true });
  });
}

/* Along the upper edge of a lane: to which side of a partition it belongs, or that it is cut off. */
function drawIsolation(run, row, top) {
  const { pen, colours } = paint;
  eachBand(run, (band, x, width) => {
    let text = null;
    if (band.type === "partition") {
      const group = band.groups.findIndex(lanes => lanes.includes(row.lane));
      text = group >= 0 ? String.fromCharCode(65 + group) : null;
      pen.fillStyle = group === 0 ? colours.warn : stripes(colours.warn, group === 1 ? "thick" : "cross");
    } else if (band.alone && band.lanes[0] === row.lane) {
      text = "cut off";
      pen.fillStyle = stripes(colours.bad, "cross");
    }
    if (text === null) return;
    pen.fillRect(x, top + 1, width, 4);
    label(text, Math.max(x, view.left) + 3, top + 11, width - 4, colours.faint, SMALL);
  });
}

const BAND_SIGNS = { partition: "∥ ", cut: "✂ ", link: "⇝ ", disk: "▪ ", clock: "◷ " };

function drawFaults(run, row) {
  const { pen, colours } = paint;
  drawLine(row.top - view.scroll + row.height - 1);
  eachBand(run, (band, x, width) => {
    if (band.row === undefined || band.row >= bandRows(run)) return;
    const y = row.top - view.scroll + 2 + band.row * BAND_ROW, height = BAND_ROW - 3;
    pen.fillStyle = colours.panel;
    box(x, y, width, height, 3);
    pen.fill();
    pen.globalAlpha = 0.3;
    const cuts = band.type === "partition" || band.type === "cut";
    pen.fillStyle = stripes(cuts ? colours.warn : colours.faint,
      band.type === "link" ? "dots" : band.type === "disk" ? "cross" : "thin");
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = cuts ? colours.warn : colours.faint;
    pen.lineWidth = 1;
    pen.stroke();
    const left = Math.max(x + 5, view.left + 5);
    const room = x + width - left - 3, sign = BAND_SIGNS[band.type];
    label(room < 52 ? sign.trim() : sign + band.label, left, y + height / 2 + 0.5, room, colours.text, SMALL);
    paint.boxes.push({ x, y, width, height, at: band.at });
  });
}
