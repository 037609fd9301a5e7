/*
 * overview: the whole run in a strip below the diagram: who led, how much happened, what was
 * violated, and which part the diagram shows. A drag moves that part, the slider the moment.
 */

const overview = { canvas: null, pen: null, still: null, width: 0, height: 46 };

function overviewX(time) {
  const { first, last } = current.run.story;
  return 6 + (time - first) / Math.max(1, last - first) * (overview.width - 12);
}

function overviewTime(x) {
  const { first, last } = current.run.story;
  return first + (x - 6) / (overview.width - 12) * (last - first);
}

/* What does not change with the window: drawn once for a run, a size and a theme. */
function drawStill(run) {
  const canvas = document.createElement("canvas"), { colours } = paint;
  canvas.width = overview.width * paint.scale;
  canvas.height = overview.height * paint.scale;
  const pen = canvas.getContext("2d");
  pen.scale(paint.scale, paint.scale);
  drawActivity(run, pen);
  drawLeaders(run, pen);
  pen.fillStyle = colours.warn;
  pen.globalAlpha = 0.7;
  for (const band of run.story.bands) {
    const x = overviewX(band.from), width = Math.max(1, overviewX(band.to) - x);
    pen.fillRect(x, overview.height - 5, width, band.type === "crash" || band.type === "pause" ? 2 : 4);
  }
  pen.globalAlpha = 1;
  pen.fillStyle = colours.bad;
  for (const at of run.story.alarms) pen.fillRect(overviewX(run.time[at]) - 1, 0, 3, overview.height);
  overview.still = canvas;
}

function drawActivity(run, pen) {
  const step = 2, counts = [];
  let before = 0, most = 1;
  for (let x = 6; x < overview.width - 6; x += step) {
    const place = run.firstFrom(overviewTime(x + step), true);
    counts.push(place - before);
    most = Math.max(most, place - before);
    before = place;
  }
  pen.fillStyle = paint.colours.faint;
  pen.globalAlpha = 0.4;
  counts.forEach((count, number) => {
    const height = Math.sqrt(count / most) * (overview.height - 18);
    pen.fillRect(6 + number * step, overview.height - 6 - height, step, height);
  });
  pen.globalAlpha = 1;
}

/* Along the upper edge: the terms in which there was a leader. */
function drawLeaders(run, pen) {
  for (const spells of run.story.spells) {
    for (let place = 0; place < spells.time.length; place++) {
      if (spells.role[place] !== LEADER) continue;
      const to = place + 1 < spells.time.length ? spells.time[place + 1] : run.story.last;
      const x = overviewX(spells.time[place]);
      pen.fillStyle = termColour(spells.term[place]);
      pen.fillRect(x, 3, Math.max(1, overviewX(to) - x), 6);
    }
  }
}

function drawOverview(run) {
  const { pen } = overview, { colours } = paint;
  if (!overview.still) drawStill(run);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, overview.canvas.width, overview.canvas.height);
  pen.drawImage(overview.still, 0, 0);
  pen.setTransform(paint.scale, 0, 0, paint.scale, 0, 0);
  const x0 = Math.max(2, overviewX(view.from)), x1 = Math.min(overview.width - 2, overviewX(view.to));
  const width = Math.max(4, x1 - x0);
  pen.fillStyle = colours.accent;
  pen.globalAlpha = 0.14;
  pen.fillRect(x0, 0, width, overview.height);
  pen.globalAlpha = 1;
  pen.strokeStyle = colours.accent;
  pen.lineWidth = 1.5;
  pen.strokeRect(x0, 0.75, width, overview.height - 1.5);
  pen.fillRect(overviewX(current.time) - 1, 0, 2, overview.height);
}

function listenToOverview() {
  const move = event => {
    const box = overview.canvas.getBoundingClientRect(), span = view.to - view.from;
    const time = overviewTime(event.clientX - box.left);
    showSpan(time - span / 2, time + span / 2);
  };
  overview.canvas.addEventListener("pointerdown", event => {
    overview.canvas.setPointerCapture(event.pointerId);
    move(event);
    overview.canvas.onpointermove = move;
  });
  for (const name of ["pointerup", "pointercancel"])
    overview.canvas.addEventListener(name, () => { overview.canvas.onpointermove = null; });
}
