/*
 * arrows: messages, from the bar of who sends to the bar of who receives. A lost one ends in a
 * cross, one of which nothing more is known in a ring. Answers are dashed.
 */

/* Calls for each message that is seen, until call() says true. */
function eachMessage(run, call) {
  const { at, end, blocks } = run.story.messages, count = at.length;
  const after = lowerBoundBy(count, number => run.time[at[number]] > view.to);
  for (let block = 0; block * 256 < after; block++) {
    if (blocks[block] < view.from) continue;
    const stop = Math.min(block * 256 + 256, after);
    for (let number = block * 256; number < stop; number++)
      if (end[number] >= view.from && call(at[number])) return;
  }
}

function lowerBoundBy(count, isAfter) {
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isAfter(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function showsMessage(run, filter, at) {
  if (!filter.shows(run, at)) return false;
  const peer = run.peer[at];
  return peer === NOBODY || filter.lanes[peer];
}

function drawMessages(run, filter) {
  const list = [];
  paint.crowded = 0;
  const most = Math.min(ARROWS_MOST, (view.width - view.left) * 0.6);
  eachMessage(run, at => {
    if (showsMessage(run, filter, at)) list.push(at);
    return list.length > most;
  });
  if (list.length > most) {
    paint.crowded = list.length;
    return;
  }
  const labels = list.length <= LABELS_MOST;
  for (const at of list) drawMessage(run, at, labels, 1);
}

function messageColour(run, at) {
  return paint.colours["m-" + CATEGORIES[categoryOf(run, at)].id] || paint.colours["m-other"];
}

function isAnswer(run, at) {
  return /_response$|_answer$/.test(run.messages[run.message[at]]);
}

/* All copies of a message; `weight` is its line's width. */
function drawMessage(run, at, labels, weight) {
  if (run.peer[at] === NOBODY) {
    drawClientStub(run, at, weight);
    return;
  }
  let copies = 0;
  for (let effect = run.effect[at]; effect >= 0; effect = run.sibling[effect], copies++) {
    if (run.kind[effect] === KIND.drop) drawArrow(run, at, run.time[effect], "lost", labels, weight);
    else drawArrow(run, at, run.time[effect], "arrived", labels, weight);
  }
  if (copies === 0) drawArrow(run, at, run.time[at], "unknown", labels, weight);
}

function drawArrow(run, at, end, fate, labels, weight) {
  const { pen, colours } = paint, from = middleOf(run.lane[at]), to = middleOf(run.peer[at]);
  if (from === undefined || to === undefined) return;
  const down = to > from ? 1 : -1, x0 = xOf(run.time[at]), y0 = from + down * BAR / 2;
  let x1 = xOf(end), y1 = to - down * BAR / 2;
  if (fate === "lost") {
    const way = Math.min(0.6, 0.25 + Math.abs(x1 - x0) / 200);
    y1 = y0 + (y1 - y0) * way;
  } else if (fate === "unknown") {
    x1 = x0 + 10;
    y1 = y0 + down * 16;
  }
  pen.strokeStyle = pen.fillStyle = fate === "lost" ? colours.bad : messageColour(run, at);
  pen.lineWidth = weight;
  pen.setLineDash(isAnswer(run, at) ? [5, 3] : []);
  const seen = seenPart(x0, y0, x1, y1);
  pen.beginPath();
  pen.moveTo(seen.x0, seen.y0);
  pen.lineTo(seen.x1, seen.y1);
  pen.stroke();
  pen.setLineDash([]);
  if (fate === "lost") drawCross(x1, y1, 4, weight + 0.8);
  else if (fate === "unknown") drawRing(x1, y1);
  else drawHead(x0, y0, x1, y1, run.flags[at] & FLAG.reject);
  if (labels) drawArrowLabel(run, at, seen.x0, seen.y0, seen.x1, seen.y1);
  paint.arrows.push(Object.assign(seen, { at }));
}

/* A line without what is far outside: dashes are costly there. */
function seenPart(x0, y0, x1, y1) {
  const part = x => x1 === x0 ? 0 : Math.max(0, Math.min(1, (x - x0) / (x1 - x0)));
  const from = part(view.left - 20), to = x1 <= view.width + 20 ? 1 : part(view.width + 20);
  return { x0: x0 + (x1 - x0) * from, y0: y0 + (y1 - y0) * from, x1: x0 + (x1 - x0) * to, y1: y0 + (y1 - y0) * to };
}

function drawHead(x0, y0, x1, y1, isRefusal) {
  const { pen, colours } = paint, angle = Math.atan2(y1 - y0, x1 - x0), size = 7;
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x1 - size * Math.cos(angle - 0.4), y1 - size * Math.sin(angle - 0.4));
  pen.lineTo(x1 - size * Math.cos(angle + 0.4), y1 - size * Math.sin(angle + 0.4));
  pen.closePath();
  if (isRefusal) { // hollow: a no
    const ink = pen.fillStyle;
    pen.fillStyle = colours.back;
    pen.fill();
    pen.fillStyle = ink;
    pen.stroke();
  } else {
    pen.fill();
  }
}

function drawCross(x, y, size, weight) {
  const { pen } = paint;
  pen.lineWidth = weight;
  pen.beginPath();
  pen.moveTo(x - size, y - size);
  pen.lineTo(x + size, y + size);
  pen.moveTo(x + size, y - size);
  pen.lineTo(x - size, y + size);
  pen.stroke();
}

function drawRing(x, y) {
  const { pen, colours } = paint, ink = pen.fillStyle;
  pen.beginPath();
  pen.arc(x, y, 3, 0, 7);
  pen.fillStyle = colours.back;
  pen.fill();
  pen.stroke();
  pen.fillStyle = ink;
}

/* What it says, along the arrow, where it is long enough. */
function drawArrowLabel(run, at, x0, y0, x1, y1) {
  const { pen, colours } = paint, text = run.say(at).replace(/^→ \S+ /, "");
  pen.font = SMALL;
  const length = Math.hypot(x1 - x0, y1 - y0), width = pen.measureText(text).width;
  if (length < width + 24) return;
  let angle = Math.atan2(y1 - y0, x1 - x0);
  if (Math.abs(angle) > 1.35) return; // nearly upright: it cannot be read
  pen.save();
  pen.translate((x0 + x1) / 2, (y0 + y1) / 2);
  pen.rotate(angle);
  pen.fillStyle = colours.back;
  pen.globalAlpha = 0.85;
  pen.fillRect(-width / 2 - 3, -14, width + 6, 13);
  pen.globalAlpha = 1;
  pen.fillStyle = messageColour(run, at);
  pen.fillText(text, -width / 2, -7);
  pen.restore();
}

/* A client has no lane here: a short arrow into the bar, or out of it. */
function drawClientStub(run, at, weight) {
  const { pen } = paint, middle = middleOf(run.lane[at]);
  if (middle === undefined) return;
  const x = xOf(run.time[at]), bar = middle - BAR / 2, isIn = run.kind[at] === KIND.receive;
  pen.strokeStyle = pen.fillStyle = messageColour(run, at);
  pen.lineWidth = weight;
  pen.setLineDash(isIn ? [] : [3, 2]);
  const [y0, y1] = isIn ? [bar - 16, bar] : [bar, bar - 16];
  pen.beginPath();
  pen.moveTo(x - (isIn ? 4 : 0), y0);
  pen.lineTo(x + (isIn ? 0 : 4), y1);
  pen.stroke();
  pen.setLineDash([]);
  drawHead(x - (isIn ? 4 : 0), y0, x + (isIn ? 0 : 4), y1, false);
  paint.arrows.push({ x0: x, y0, x1: x, y1, at });
}
