/*
 * clients: the operations of the workloads' histories, a lane for each client, each as a box from
 * its call to its return. Writes are filled, reads framed, what nobody knows the end of is dashed.
 */

const OPERATIONS_MOST = 1200, LANES_MOST = 12; // beyond, they are folded at first

function drawOperations(row) {
  const { pen } = paint, { group, lane } = row, top = row.top - view.scroll;
  const list = group.byLane[lane];
  let place = lowerBoundBy(list.length, number => endOf(group, list[number]) >= view.from);
  drawLine(top + row.height - 0.5);
  let edge = -Infinity, bad = -1;
  pen.lineWidth = 1;
  for (let drawn = 0; place < list.length && drawn < OPERATIONS_MOST; place++) {
    const number = list[place];
    if (group.begin[number] > view.to) break;
    const x = Math.max(xOf(group.begin[number]), view.left - 4);
    const end = Math.min(xOf(endOf(group, number)), view.width + 4);
    if (end < edge + 1 && end - x < 4 && number !== group.failing) continue; // hidden behind its neighbour
    if (number === group.failing) bad = number; // it is drawn over its neighbours
    drawOperation(group, number, x, top, Math.max(2, end - x), row.height);
    edge = end;
    drawn++;
  }
  if (bad >= 0) {
    const x = xOf(group.begin[bad]);
    drawOperation(group, bad, x, top, xOf(endOf(group, bad)) - x, row.height);
  }
  pen.setLineDash([]);
}

/* An operation that nobody knows the end of is drawn until its client's next one begins. */
function endOf(group, number) {
  if (group.end[number] >= 0) return group.end[number];
  return group.next[number] >= 0 ? group.next[number] : current.run.story.last;
}

function drawOperation(group, number, x, top, width, height) {
  const { pen, colours } = paint, outcome = group.outcome[number], kind = group.kinds[number];
  const colour = colours[{ read: "m-clients", cas: "m-votes", write: "m-replication" }[kind]];
  const y = top + 2.5, size = height - 5;
  if (number === group.failing) {
    drawFailing(group, number, x, y, width, size);
    return;
  }
  pen.globalAlpha = outcome === "fail" ? 0.45 : 1;
  pen.strokeStyle = pen.fillStyle = colour;
  pen.setLineDash(outcome === "info" ? [4, 3] : []);
  if (width < 4) {
    pen.fillRect(x, y, width, size);
  } else {
    box(x + 0.5, y, width - 1, size, 3);
    if (kind !== "read") {
      const alpha = pen.globalAlpha;
      pen.globalAlpha = alpha * 0.18;
      pen.fill();
      pen.globalAlpha = alpha;
    }
    pen.stroke();
    const left = Math.max(x, view.left) + 4;
    label(outcome === "fail" ? group.labels[number] + " ✕" : group.labels[number], left, y + size / 2 + 0.5,
      x + width - left - 3, colours.text, SMALL);
  }
  pen.globalAlpha = 1;
  paint.boxes.push({ x, y, width: Math.max(3, width), height: size, group, number });
}

/* The operation at which a history ends: seen however short it was. */
function drawFailing(group, number, x, y, width, size) {
  const { pen, colours } = paint, text = "✗ " + group.labels[number];
  pen.font = BOLD;
  const wide = Math.max(width, pen.measureText(text).width + 12);
  pen.setLineDash([]);
  pen.fillStyle = colours["bad-back"];
  pen.strokeStyle = colours.bad;
  pen.lineWidth = 2;
  box(x, y - 1, wide, size + 2, 3);
  pen.fill();
  pen.stroke();
  pen.lineWidth = 1;
  label(text, Math.max(x, view.left) + 6, y + size / 2 + 0.5, wide, colours.bad, BOLD);
  paint.boxes.push({ x, y, width: wide, height: size, group, number });
}

/* What the page was given of the histories, made ready. */
function prepareClients(run) {
  for (const group of run.clients || []) {
    group.folded = group.lanes.length > LANES_MOST && group.verdict !== "no";
    group.byLane = group.lanes.map(() => []);
    group.lane.forEach((lane, number) => group.byLane[lane].push(number));
    group.next = group.begin.map(() => -1);
    for (const list of group.byLane)
      list.forEach((number, place) => group.next[number] = place + 1 < list.length ? group.begin[list[place + 1]] : -1);
    group.labels = group.label.map(place => group.texts[place]);
    group.kinds = group.kind.map(place => ["read", "write", "cas"][place]);
    group.outcome = group.outcome.map(place => ["ok", "fail", "info"][place]);
  }
}

const VERDICTS = { yes: "✓ linearizable", no: "✗ not linearizable", unknown: "? not decided" };
