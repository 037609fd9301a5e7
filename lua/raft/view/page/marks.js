/*
 * marks: the events of a node on its lane. What concerns its log stands above the bar, what
 * concerns its disk below it. Where there are too many, it draws how many there are.
 */

/* Glyphs by kind: [is it above the bar, draw(pen, x, y, colour)]. */
const GLYPHS = (() => {
  const stroke = (pen, points) => {
    pen.beginPath();
    points.forEach(([x, y], number) => number === 0 ? pen.moveTo(x, y) : pen.lineTo(x, y));
    pen.stroke();
  };
  const square = (filled, size) => (pen, x, y) => {
    if (filled) pen.fillRect(x - size, y - size, 2 * size, 2 * size);
    else pen.strokeRect(x - size, y - size, 2 * size, 2 * size);
  };
  const diamond = (pen, x, y) => {
    pen.beginPath();
    pen.moveTo(x, y - 5);
    pen.lineTo(x + 5, y);
    pen.lineTo(x, y + 5);
    pen.lineTo(x - 5, y);
    pen.fill();
  };
  const dot = (pen, x, y) => {
    pen.beginPath();
    pen.arc(x, y, 2, 0, 7);
    pen.fill();
  };
  const ring = (pen, x, y) => {
    pen.beginPath();
    pen.arc(x, y, 3, 0, 7);
    pen.stroke();
  };
  const framed = (pen, x, y) => {
    pen.strokeRect(x - 4, y - 4, 8, 8);
    pen.fillRect(x - 1.5, y - 1.5, 3, 3);
  };
  const flag = (pen, x, y) => stroke(pen, [[x, y + 6], [x, y - 5], [x + 7, y - 2], [x, y + 1]]);
  const cross = (pen, x, y) =>
    stroke(pen, [[x - 4, y - 4], [x + 4, y + 4], [x, y], [x - 4, y + 4], [x + 4, y - 4]]);
  const bang = (pen, x, y) => {
    pen.fillRect(x - 1, y - 5, 2, 6);
    pen.fillRect(x - 1, y + 3, 2, 2);
  };
  return {
    commit: [true, (pen, x, y) => stroke(pen, [[x - 4, y], [x - 1, y + 4], [x + 5, y - 5]]), "good", 2],
    append: [true, (pen, x, y) => pen.fillRect(x - 1.5, y - 4, 3, 8), "term"],
    truncate: [true, cross, "bad", 1.6],
    apply: [true, dot, "good"],
    match: [true, ring, "faint"],
    read: [true, ring, "m-clients"],
    confirm: [true, dot, "m-clients"],
    members: [true, framed, "accent"],
    vote: [true, diamond, "m-votes"],
    role: [true, null],
    write: [false, square(false, 2.5), "faint"],
    sync: [false, square(true, 3), "faint"],
    snapshot: [false, framed, "m-snapshots"],
    install: [false, framed, "m-snapshots"],
    restore: [false, framed, "m-snapshots"],
    start: [true, flag, "good", 1.6],
    stop: [true, flag, "bad", 1.6],
    connect: [false, dot, "faint"],
    disconnect: [false, ring, "bad"],
    notice: [true, bang, "warn"],
    fault: [true, flag, "warn", 1.6],
    violation: [true, bang, "bad"],
    other: [true, dot, "faint"],
  };
})();

function isMark(run, at) {
  const kind = run.kind[at];
  return kind !== KIND.send && kind !== KIND.receive && kind !== KIND.drop && kind !== KIND.role;
}

function drawAllMarks(run, filter) {
  const rows = view.rows.filter(row => row.type === "node");
  const ranges = rows.map(row => {
    const list = run.story.byLane[row.lane];
    return [lowerBoundBy(list.length, place => run.time[list[place]] >= view.from),
      lowerBoundBy(list.length, place => run.time[list[place]] > view.to)];
  });
  const most = Math.max(...ranges.map(([from, to]) => to - from));
  const crowded = most > (view.width - view.left) * (paint.crowded ? 0.7 : 1.4);
  rows.forEach((row, number) => {
    const middle = row.top + row.height / 2 - view.scroll;
    if (crowded) drawDensity(run, row, middle);
    else drawMarks(run, filter, row, ranges[number], middle);
  });
}

/* Neighbours in one place and of one kind are one mark; those of other kinds stand above each other. */
function drawMarks(run, filter, row, [from, to], middle) {
  const list = run.story.byLane[row.lane], heights = { up: 0, down: 0 };
  const most = Math.max(1, Math.floor((row.height / 2 - BAR / 2 - 4) / 11));
  let column = NaN, seen = new Set();
  for (let place = from; place < to && paint.marks.length < MARKS_MOST; place++) {
    const at = list[place];
    if (!isMark(run, at) || !filter.shows(run, at)) continue;
    const x = xOf(run.time[at]), glyph = GLYPHS[KINDS[run.kind[at]]];
    if (!glyph || !glyph[1]) continue;
    if (!(x - column < 4)) {
      column = x;
      heights.up = heights.down = 0;
      seen = new Set();
    }
    if (seen.has(run.kind[at])) continue;
    seen.add(run.kind[at]);
    const side = glyph[0] ? "up" : "down", slot = heights[side]++;
    if (slot >= most) continue; // no room: they are seen from nearer
    const y = glyph[0] ? middle - BAR / 2 - 7 - 11 * slot : middle + BAR / 2 + 7 + 10 * slot;
    drawGlyph(run, at, column, y, glyph);
  }
}

function drawGlyph(run, at, x, y, [, draw, colour, width]) {
  const { pen, colours } = paint;
  pen.fillStyle = pen.strokeStyle = colour === "term" ? termColour(run.term[at]) : colours[colour];
  pen.lineWidth = width || 1.2;
  draw(pen, x, y);
  paint.marks.push({ x, y, at });
}

/* How many events a node has, in columns of three pixels. */
function drawDensity(run, row, middle) {
  const { pen, colours } = paint, list = run.story.byLane[row.lane], step = 3, counts = [];
  let before = lowerBoundBy(list.length, place => run.time[list[place]] >= view.from), most = 1;
  for (let x = view.left; x < view.width; x += step) {
    const end = timeOf(x + step);
    let low = before, high = list.length;
    while (low < high) {
      const half = (low + high) >> 1;
      if (run.time[list[half]] < end) low = half + 1;
      else high = half;
    }
    counts.push(low - before);
    most = Math.max(most, low - before);
    before = low;
  }
  const room = Math.max(8, row.height / 2 - BAR / 2 - 8);
  pen.fillStyle = colours.faint;
  pen.globalAlpha = 0.45;
  pen.beginPath();
  counts.forEach((count, number) => {
    const height = count / most * room;
    if (count > 0) pen.rect(view.left + number * step, middle + BAR / 2 + 3, step - 1, Math.max(1, height));
  });
  pen.fill();
  pen.globalAlpha = 1;
}

// ---- what is chosen --------------------------------------------------------------------------

/* The chosen event, what it came from and what came of it, over everything else. */
function drawChosen(run) {
  const { pen, colours } = paint;
  if (current.hover >= 0 && current.hover !== current.chosen) ringAround(run, current.hover, colours.faint, 8, 1.5);
  if (current.chosen < 0) return;
  const { before, after } = chainOf(run, current.chosen);
  for (const at of [...before, ...after, current.chosen]) {
    if (run.kind[at] === KIND.send) drawMessage(run, at, false, 2.4);
    else if (run.cause[at] >= 0) drawMessage(run, run.cause[at], false, 2.4);
  }
  for (const at of before) ringAround(run, at, colours.warn, 5.5, 1.5);
  for (const at of after) ringAround(run, at, colours.good, 5.5, 1.5);
  for (const at of causesOf(run, current.chosen)) signBeside(run, at, colours.warn, "◂", -17);
  for (const at of effectsOf(run, current.chosen)) signBeside(run, at, colours.good, "▸", 8);
  ringAround(run, current.chosen, colours.accent, 9, 2.5);
  pen.lineWidth = 1;
}

/* Where an event is in the canvas; null: it is not on a lane that is shown. A message is where its
 * arrow meets the bar. */
function placeOf(run, at) {
  const drawn = paint.marks.find(mark => mark.at === at);
  if (drawn) return drawn;
  const middle = run.lane[at] === NOBODY ? undefined : middleOf(run.lane[at]);
  if (middle === undefined) return null;
  const x = xOf(run.time[at]), peer = run.peer[at] === NOBODY ? undefined : middleOf(run.peer[at]);
  if (run.kind[at] === KIND.send || run.kind[at] === KIND.receive)
    return { x, y: middle + (peer === undefined || peer < middle ? -BAR / 2 : BAR / 2) };
  return { x, y: middle };
}

function ringAround(run, at, colour, radius, width) {
  const place = placeOf(run, at), { pen } = paint;
  if (!place) return;
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.beginPath();
  pen.arc(place.x, place.y, radius, 0, 7);
  pen.stroke();
}

function signBeside(run, at, colour, sign, by) {
  const place = placeOf(run, at), { pen } = paint;
  if (!place) return;
  pen.fillStyle = colour;
  pen.font = SMALL;
  pen.fillText(sign, place.x + by, place.y + 0.5);
}
