/*
 * causes: what an event came from and what came of it. A receive came from its send, a sync from its
 * write; anything else from what its node did before it in the same instant, back to what it heard.
 */

const NEAR_MOST = 400; // events that are looked at around one

/* Whether two events are one node's and of one instant. */
function together(run, a, b) {
  return run.lane[a] === run.lane[b] && run.time[a] === run.time[b];
}

/* The write of a sync (step -1), or the sync of a write (step 1); -1: it is not found. */
function otherHalf(run, at, step) {
  const list = run.story.byLane[run.lane[at]], kind = step < 0 ? KIND.write : KIND.sync;
  let place = lowerBound(list, list.length, at) + step;
  for (let left = NEAR_MOST; left > 0 && place >= 0 && place < list.length; left--, place += step) {
    const other = list[place];
    if (run.kind[other] === KIND.start || run.kind[other] === KIND.stop) break;
    if (run.kind[other] === kind && run.a[other] === run.a[at] && run.b[other] === run.b[at]
      && run.c[other] === run.c[at] && run.flags[other] === run.flags[at]) return other;
  }
  return -1;
}

/* Directly before an event: its send, or what its node did before it in the same instant, back to what it heard. */
function causesOf(run, at) {
  if (run.cause[at] >= 0) return [run.cause[at]];
  const list = [];
  if (run.lane[at] === NOBODY) return list;
  if (run.kind[at] === KIND.sync) {
    const write = otherHalf(run, at, -1);
    return write >= 0 ? [write] : list;
  }
  for (let before = at - 1; before >= 0 && at - before < NEAR_MOST && run.time[before] === run.time[at]; before--) {
    if (!together(run, before, at)) continue;
    if (run.kind[before] === KIND.send) continue; // a message is no reason for another
    list.unshift(before);
    if (run.kind[before] === KIND.receive || run.kind[before] === KIND.sync) break;
  }
  return list;
}

/* Directly behind an event: where a message came, or what its node did next in the same instant. */
function effectsOf(run, at) {
  const list = [];
  for (let effect = run.effect[at]; effect >= 0; effect = run.sibling[effect]) list.unshift(effect);
  if (run.kind[at] === KIND.send || run.kind[at] === KIND.drop || run.lane[at] === NOBODY) return list;
  for (let after = at + 1; after < run.count && after - at < NEAR_MOST && run.time[after] === run.time[at]; after++) {
    if (!together(run, after, at)) continue;
    if (run.kind[after] === KIND.receive || run.kind[after] === KIND.sync) break;
    list.push(after);
  }
  const sync = run.kind[at] === KIND.write ? otherHalf(run, at, 1) : -1;
  if (sync >= 0 && !list.includes(sync)) list.push(sync);
  return list;
}

/* A few steps both ways, for the picture: { before, after } as lists of positions. */
function chainOf(run, at) {
  if (chainOf.run === run && chainOf.at === at) return chainOf.chain;
  const walk = (step, most) => {
    const seen = new Set([at]);
    let edge = [at];
    for (let depth = 0; depth < 4 && edge.length > 0 && seen.size < most; depth++) {
      const next = [];
      for (const one of edge) {
        for (const other of step(run, one)) {
          if (seen.has(other) || seen.size >= most) continue;
          seen.add(other);
          next.push(other);
        }
      }
      edge = next;
    }
    seen.delete(at);
    return [...seen];
  };
  const chain = { before: walk(causesOf, 24), after: walk(effectsOf, 40) };
  Object.assign(chainOf, { run, at, chain });
  return chain;
}
