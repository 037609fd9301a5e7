/*
 * clients: the operations of the workloads' histories, a lane for each client, each as a box from
 * its call to its return. Writes are filled, reads framed, what nobody knows the end of is dashed.
 */

const OPERATIONS_MOST = 1200;

function drawOperations(row) {
  const { pen, colours } = paint, { group, lane } = row, top = row.top - view.scroll;
  const list = group.byLane[lane];
  let place = lowerBoundBy(list.length, number => endOf(group, list[number]) >= view.from);
  drawLine(top + row.height - 0.5);
  let edge = -Infinity;
  for (let drawn = 0; place < list.length && drawn < OPERATIONS_MOST; place++) {
    const number = list[place];
    if (group.begin[number] > view.to) break;
    const x = Math.max(xOf(group.begin[number]), view.left - 4), end = Math.min(xOf(endOf(group, number)), view.width + 4);
    if (end < edge + 1 && number !== group.failing) continue; // nothing to be seen beside its neighbour
    drawOperation(group, number, x, top, Math.max(1, end - x), row.height);
    edge = end;
    drawn++;
  }
  pen.setLineDash([]);
  pen.lineWidth = 1;
  if (colours) pen.globalAlpha = 1;
}

function endOf(group, number) {
  return group.end[number] >= 0 ? group.end[number] : current.run.story.last;
}

function drawOperation(group, number, x, top, width, height) {
  const { pen, colours } = paint, outcome = group.outcome[number], bad = number === group.failing;
  const kind = group.kinds[number], colour = bad ? colours.bad : kind === "read" ? colours["m-clients"]
    : kind === "cas" ? colours["m-votes"] : colours["m-replication"];
  pen.globalAlpha = outcome === "fail" ? 0.45 : 1;
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineWidth = bad ? 2.5 : 1;
  pen.setLineDash(outcome === "info" ? [4, 3] : []);
  const y = top + 2.5, size = height - 5;
  if (width < 4) {
    pen.fillRect(x, y, width, size);
  } else {
    box(x + 0.5, y, width - 1, size, 3);
    if (kind !== "read" || bad) {
      const alpha = pen.globalAlpha;
      pen.globalAlpha = alpha * (bad ? 0.3 : 0.18);
      pen.fill();
      pen.globalAlpha = alpha;
    }
    pen.stroke();
    const left = Math.max(x, view.left) + 4;
    const said = outcome === "fail" ? group.labels[number] + " ✕" : group.labels[number];
    if (!label(said, left, y + size / 2 + 0.5, x + width - left - 3, colours.text, SMALL) && bad)
      label("✗", x - 12, y + size / 2, 14, colours.bad, BOLD);
  }
  pen.globalAlpha = 1;
  paint.boxes.push({ x, y, width: Math.max(3, width), height: size, group, number });
}

/* What the page was given of the histories, made ready. */
function prepareClients(run) {
  for (const group of run.clients || []) {
    group.byLane = group.lanes.map(() => []);
    group.lane.forEach((lane, number) => group.byLane[lane].push(number));
    group.labels = group.label.map(place => group.texts[place]);
    group.kinds = group.kind.map(place => ["read", "write", "cas"][place]);
    group.outcome = group.outcome.map(place => ["ok", "fail", "info"][place]);
  }
}

const VERDICTS = { yes: "✓ linearizable", no: "✗ not linearizable", unknown: "? not decided" };
