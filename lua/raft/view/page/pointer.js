/*
 * pointer: what is under the mouse or the finger. A drag pans, the wheel and two fingers zoom, a
 * click chooses, hovering tells in a few words.
 */

const REACH = 8; // pixels

/* The nearest of what the last frame has drawn: { at }, { group, number } or null. */
function pick(x, y) {
  let best = null, least = REACH;
  const consider = (distance, what) => {
    if (distance < least) {
      least = distance;
      best = what;
    }
  };
  for (const mark of paint.marks) consider(Math.hypot(mark.x - x, mark.y - y), mark);
  if (!best) for (const arrow of paint.arrows) consider(distanceTo(arrow, x, y), { at: arrow.at });
  if (best) return best;
  for (let place = paint.boxes.length - 1; place >= 0; place--) {
    const one = paint.boxes[place];
    if (x >= one.x && x <= one.x + one.width && y >= one.y && y <= one.y + one.height) return one;
  }
  return null;
}

function distanceTo({ x0, y0, x1, y1 }, x, y) {
  const dx = x1 - x0, dy = y1 - y0, size = dx * dx + dy * dy;
  const part = size === 0 ? 0 : Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / size));
  return Math.hypot(x - x0 - part * dx, y - y0 - part * dy);
}

function listenToPointer() {
  const diagram = byId("diagram"), canvas = byId("canvas"), pointers = new Map();
  let moved = 0, gap = 0;
  const place = event => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  canvas.addEventListener("pointerdown", event => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    moved = 0;
  });
  canvas.addEventListener("pointermove", event => {
    const before = pointers.get(event.pointerId), now = place(event);
    if (!before) {
      hover(now);
      return;
    }
    pointers.set(event.pointerId, now);
    moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (pointers.size === 2) {
      const [one, other] = [...pointers.values()], wide = Math.abs(one.x - other.x);
      if (gap > 0 && wide > 0) zoom(gap / wide, (one.x + other.x) / 2);
      gap = wide;
    } else if (moved > 4) {
      pan(before.x - now.x);
      if (event.pointerType === "mouse") diagram.scrollTop += before.y - now.y;
      hideTip();
    }
  });
  const release = event => {
    const was = pointers.get(event.pointerId);
    pointers.delete(event.pointerId);
    gap = 0;
    if (was && moved <= 4 && event.type === "pointerup") click(place(event));
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("dblclick", event => zoom(0.4, place(event).x));
  diagram.addEventListener("wheel", event => {
    if (event.deltaX !== 0 || event.shiftKey) pan(event.deltaX || event.deltaY);
    if (event.deltaY !== 0 && !event.shiftKey) {
      const pixels = event.deltaY * (event.deltaMode === 1 ? 30 : 1); // or lines
      zoom(Math.pow(1.0016, Math.max(-300, Math.min(300, pixels))), Math.max(view.left, place(event).x));
    }
    event.preventDefault();
  }, { passive: false });
  diagram.addEventListener("scroll", () => {
    view.scroll = diagram.scrollTop;
    requestDraw();
  });
}

function click({ x, y }) {
  if (x < view.left) return;
  const found = pick(x, y);
  if (found && found.group) chooseOperation(found.group, found.number);
  else if (found && !(found.weak && y < 0)) choose(found.at, false);
  else setMoment(timeOf(x));
}

function hover({ x, y }) {
  const found = x < view.left ? null : pick(x, y), tip = byId("tip");
  const at = found && !found.group ? found.at : -1;
  if (at !== current.hover) {
    current.hover = at;
    requestDraw();
  }
  byId("canvas").style.cursor = found ? "pointer" : "";
  if (!found) {
    hideTip();
    return;
  }
  const { run } = current;
  const { group, number } = found;
  tip.textContent = group ? `${group.lanes[group.lane[number]]}: ${group.labels[number]}`
    : `${seconds(run.time[at])}  ${sentence(run, at)}`;
  tip.hidden = false;
  const width = tip.offsetWidth;
  tip.style.left = Math.max(4, Math.min(x + 14, view.width - width - 6)) + "px";
  tip.style.top = y + byId("diagram").scrollTop + 16 + "px";
}

function hideTip() {
  byId("tip").hidden = true;
  if (current.hover >= 0) {
    current.hover = -1;
    requestDraw();
  }
}
