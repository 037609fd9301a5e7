/*
 * plots: throughput and latency over time, and how long elections took, below the lanes and on the
 * same axis. Throughput and latency are those of the clients' operations where the page has them,
 * else those of commits.
 */

const POINTS_MOST = 1500, PLOT_STEP = 5; // pixels of a column

function makePlots(run) {
  const { story } = run, operations = operationsOf(run);
  const plots = [];
  const done = operations.length > 0 ? operations : null;
  if (done || story.progress.time.length > 0) {
    plots.push({ id: "throughput", title: "Throughput", unit: "/s", draw: drawThroughput,
      what: done ? "operations" : "entries committed",
      time: Float64Array.from(done ? done.map(one => one.end) : story.progress.time) });
  }
  if (done || story.commits.time.length > 0) {
    const latency = done
      ? { time: done.map(one => one.end), value: done.map(one => one.end - one.begin) } : story.commits;
    plots.push({ id: "latency", title: "Latency", unit: "ms", draw: drawLatency,
      what: done ? "of operations" : "append to commit",
      time: Float64Array.from(latency.time), value: Float64Array.from(latency.value) });
  }
  const { elections } = story, known = [...elections.value.keys()].filter(place => elections.value[place] >= 0);
  if (known.length > 0) {
    const of = name => known.map(place => elections[name][place]);
    plots.push({ id: "elections", title: "Elections", unit: "ms", draw: drawElections, what: "time-out to leader",
      time: of("time"), value: of("value"), at: of("at"), lane: of("lane"), term: of("term") });
  }
  return plots;
}

/* Operations that returned, by their end. */
function operationsOf(run) {
  const list = [];
  for (const group of run.clients || [])
    for (let number = 0; number < group.begin.length; number++)
      if (group.outcome[number] === "ok") list.push({ begin: group.begin[number], end: group.end[number] });
  return list.sort((a, b) => a.end - b.end);
}

/* A number that is round and not below `most`. */
function ceiling(most) {
  if (!(most > 0)) return 1;
  const size = Math.pow(10, Math.floor(Math.log10(most)));
  return [1, 2, 2.5, 5, 10].map(factor => factor * size).find(one => one >= most);
}

/* In three digits or so. */
function short(number) {
  if (number >= 100) return Math.round(number).toLocaleString("en");
  return String(number >= 10 ? Math.round(number * 10) / 10 : number >= 1 ? Math.round(number * 100) / 100
    : Math.round(number * 1000) / 1000);
}

/* The frame of a plot: returns a function from a value to its y. */
function plotFrame(row, most, unit) {
  const { pen, colours } = paint, top = row.top - view.scroll + 14, bottom = row.top - view.scroll + row.height - 10;
  drawLine(row.top - view.scroll + row.height - 1);
  pen.fillStyle = colours.grid;
  for (const part of [0, 0.5, 1])
    pen.fillRect(view.left, Math.round(bottom - (bottom - top) * part), view.width - view.left, 1);
  row.scaleText = [`${short(most)} ${unit}`, top];
  return value => bottom - Math.min(1, value / most) * (bottom - top);
}

function plotScale(row) {
  const { pen, colours } = paint, [text, y] = row.scaleText;
  pen.font = SMALL;
  const width = pen.measureText(text).width;
  pen.globalAlpha = 0.8;
  pen.fillStyle = colours.back;
  pen.fillRect(view.left + 2, y - 7, width + 6, 14);
  pen.globalAlpha = 1;
  pen.fillStyle = colours.faint;
  pen.fillText(text, view.left + 5, y);
}

function drawPlot(run, row) {
  const { plot } = row, { time } = plot;
  const from = lowerBound(time, time.length, view.from), to = lowerBound(time, time.length, view.to, true);
  plot.draw(run, row, plot, from, to);
  plotScale(row);
}

function drawThroughput(run, row, plot, from, to) {
  const { pen, colours } = paint, counts = [];
  let place = from, most = 0;
  for (let x = view.left; x < view.width; x += PLOT_STEP) {
    const begin = timeOf(x), end = timeOf(x + PLOT_STEP), before = place;
    while (place < to && plot.time[place] < end) place++;
    counts.push((place - before) / ((end - begin) / 1e9));
    most = Math.max(most, counts[counts.length - 1]);
  }
  const y = plotFrame(row, ceiling(most), plot.unit), bottom = y(0);
  pen.fillStyle = colours.accent;
  pen.globalAlpha = 0.75;
  pen.beginPath();
  counts.forEach((count, number) => {
    if (count > 0) pen.rect(view.left + number * PLOT_STEP, y(count), PLOT_STEP - 1, bottom - y(count));
  });
  pen.fill();
  pen.globalAlpha = 1;
}

function drawLatency(run, row, plot, from, to) {
  const { pen, colours } = paint;
  let most = 0;
  for (let place = from; place < to; place++) most = Math.max(most, plot.value[place]);
  const y = plotFrame(row, ceiling(most / 1e6), plot.unit);
  pen.fillStyle = pen.strokeStyle = colours["m-votes"];
  if (to - from <= POINTS_MOST) {
    pen.globalAlpha = 0.7;
    pen.beginPath();
    for (let place = from; place < to; place++) {
      const x = xOf(plot.time[place]), height = y(plot.value[place] / 1e6);
      pen.moveTo(x + 2, height);
      pen.arc(x, height, 2, 0, 7);
    }
    pen.fill();
    pen.globalAlpha = 1;
    return;
  }
  drawLatencyBand(plot, from, to, y);
}

/* Each column's least, median and greatest. */
function drawLatencyBand(plot, from, to, y) {
  const { pen } = paint, middle = [];
  let place = from;
  pen.globalAlpha = 0.3;
  pen.beginPath();
  for (let x = view.left; x < view.width; x += PLOT_STEP) {
    const end = timeOf(x + PLOT_STEP), before = place;
    while (place < to && plot.time[place] < end) place++;
    if (place === before) continue;
    const values = plot.value.slice(before, place).sort();
    const top = y(values[values.length - 1] / 1e6), bottom = y(values[0] / 1e6);
    pen.rect(x, top, PLOT_STEP - 1, Math.max(1, bottom - top));
    middle.push([x + PLOT_STEP / 2, y(values[values.length >> 1] / 1e6)]);
  }
  pen.fill();
  pen.globalAlpha = 1;
  pen.lineWidth = 1.5;
  pen.beginPath();
  middle.forEach(([x, height], number) => number === 0 ? pen.moveTo(x, height) : pen.lineTo(x, height));
  pen.stroke();
}

function drawElections(run, row, plot, from, to) {
  const { pen, colours } = paint;
  let most = 0, free = -Infinity;
  for (let place = from; place < to; place++) most = Math.max(most, plot.value[place]);
  const y = plotFrame(row, ceiling(most / 1e6), plot.unit), bottom = y(0);
  for (let place = from, drawn = 0; place < to && drawn < MARKS_MOST; place++, drawn++) {
    const x = xOf(plot.time[place]), top = y(plot.value[place] / 1e6), at = plot.at[place];
    pen.fillStyle = termColour(plot.term[place]);
    pen.fillRect(x - 1, top, 2, bottom - top);
    pen.beginPath();
    pen.arc(x, top, 4, 0, 7);
    pen.fill();
    const who = `${run.nameOf(plot.lane[place])} ${run.termWords(plot.term[place])}`;
    const text = `${who}: ${short(plot.value[place] / 1e6)} ms`;
    if (x > free && label(text, x + 8, Math.max(top, row.top - view.scroll + 14), 160, colours.text, SMALL))
      free = x + 8 + pen.measureText(text).width + 8;
    paint.marks.push({ x, y: top, at });
  }
}
