/*
 * state: what each node was like at a moment, from the events before it. While a run is read it
 * follows all nodes and keeps a copy now and then; a moment is the copy before it and the events
 * since. It also notes what is drawn as a whole: roles, faults, elections, commits.
 */

const COPY_EVERY = 1024; // events

/* A log as an index and runs of entries of one term: [[first, term], ...]; term -1: not known. */
class Log {
  constructor(first, last, runs) {
    this.first = first;
    this.last = last;
    this.runs = runs || [];
  }

  copy() {
    return new Log(this.first, this.last, this.runs.slice());
  }

  cut(last) {
    if (last >= this.last) return;
    this.last = Math.max(last, this.first - 1);
    while (this.runs.length > 0 && this.runs[this.runs.length - 1][0] > this.last) this.runs.pop();
  }

  add(first, last, term) {
    const latest = this.runs[this.runs.length - 1];
    if (!latest || latest[1] !== term) this.runs.push([first, term]);
    this.last = last;
  }

  /* Entries first..last as another log has them. */
  addFrom(other, first, last) {
    for (let index = first; index <= last;) {
      const place = other && index >= other.first && index <= other.last ? other.runOf(index) : -1;
      const next = place >= 0 && place + 1 < other.runs.length ? other.runs[place + 1][0] : Infinity;
      const end = Math.min(last, place < 0 ? last : next - 1);
      this.add(index, end, place < 0 ? -1 : other.runs[place][1]);
      index = end + 1;
    }
  }

  runOf(index) {
    let low = 0, high = this.runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.runs[middle][0] <= index) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  termAt(index) {
    const place = index < this.first || index > this.last ? -1 : this.runOf(index);
    return place < 0 ? -1 : this.runs[place][1];
  }

  /* An entry's term has been told by something else than its append. */
  learn(index, term) {
    const place = index < this.first || index > this.last ? -1 : this.runOf(index);
    if (place < 0 || this.runs[place][1] !== -1) return;
    const [start] = this.runs[place];
    const end = place + 1 < this.runs.length ? this.runs[place + 1][0] : this.last + 1;
    const pieces = [];
    const piece = (from, value) => {
      const before = pieces[pieces.length - 1] || this.runs[place - 1];
      if (!before || before[1] !== value) pieces.push([from, value]);
    };
    if (start < index) piece(start, -1);
    piece(index, term);
    if (index + 1 < end) piece(index + 1, -1);
    this.runs.splice(place, 1, ...pieces);
  }

  /* What a snapshot covers goes, but for what may be kept behind it. */
  begin(first) {
    if (first <= this.first) return;
    const term = this.termAt(first);
    this.runs = this.runs.filter(run => run[0] >= first);
    if (first <= this.last && (!this.runs[0] || this.runs[0][0] > first)) this.runs.unshift([first, term]);
    this.first = first;
    this.last = Math.max(this.last, first - 1);
  }
}

function newNode(id) {
  return { id, up: "absent", role: 0, leader: 0, term: 0, vote: 0, commit: 0, applied: 0, snapshot: 0, synced: 0,
    syncedTerm: 0, syncedVote: 0, paused: false, members: null, log: new Log(1, 0) };
}

function copyNode(node) {
  return Object.assign({}, node, { log: node.log.copy() });
}

/* What an event does to the states. */
class Follower {
  constructor(run) {
    this.run = run;
    this.nodes = run.nodes.map(newNode);
  }

  take(at) {
    const run = this.run, kind = run.kind[at];
    if (kind === KIND.fault) {
      this.fault(at);
      return;
    }
    const lane = run.lane[at];
    if (lane === NOBODY) return;
    const node = this.nodes[lane], a = run.a[at], b = run.b[at];
    if (node.up === "absent" && kind !== KIND.start) this.meet(node);
    switch (kind) {
    case KIND.start: this.start(node, at); break;
    case KIND.stop: this.stop(node, at); break;
    case KIND.role:
      node.role = run.c[at];
      this.term(node, run.term[at]);
      node.leader = run.peer[at] === NOBODY ? 0 : run.nodes[run.peer[at]];
      break;
    case KIND.vote:
      this.term(node, run.term[at]);
      node.vote = run.peer[at] === NOBODY ? 0 : run.nodes[run.peer[at]];
      break;
    case KIND.append: this.append(node, at); break;
    case KIND.truncate:
      node.log.cut(a - 1);
      node.synced = Math.min(node.synced, a - 1);
      break;
    case KIND.sync: this.sync(node, at); break;
    case KIND.send:
      if (node.role === -1) this.guess(node, at);
      break;
    case KIND.commit:
      node.commit = a;
      if (node.log.last < node.log.first && a > node.log.last) node.log = new Log(a + 1, a);
      node.log.learn(a, b);
      break;
    case KIND.apply:
      node.applied = a;
      node.log.learn(a, b);
      break;
    case KIND.snapshot:
      node.snapshot = a;
      break;
    case KIND.install:
      node.snapshot = a;
      if (node.log.termAt(a) === b) node.log.begin(a + 1);
      else node.log = new Log(a + 1, a);
      node.commit = Math.max(node.commit, a);
      node.synced = Math.max(node.synced, a);
      break;
    case KIND.restore:
      node.applied = a;
      node.commit = Math.max(node.commit, a);
      break;
    case KIND.members: node.members = run.values.get(at); break;
    default:
    }
  }

  /* The trace begins in the midst of its life. */
  meet(node) {
    node.up = "running";
    node.role = -1;
  }

  /* Only leaders send these; what it was before is not in the trace. */
  guess(node, at) {
    const message = this.run.messages[this.run.message[at]];
    node.role = message === "append" ? ROLES.indexOf("leader") : message === "append_response" ? 0 : -1;
    node.term = Math.max(node.term, this.run.term[at]);
  }

  term(node, term) {
    if (term > node.term) {
      node.term = term;
      node.vote = 0;
    }
  }

  start(node, at) {
    const run = this.run, first = Math.max(run.a[at], 1), last = run.b[at], old = node.log;
    Object.assign(node, newNode(node.id), { up: "running", term: run.term[at], vote: run.c[at] });
    node.log = new Log(first, first - 1);
    if (last >= first) node.log.addFrom(old, first, last);
    node.snapshot = node.commit = node.applied = first - 1;
    node.synced = last;
    node.syncedTerm = node.term;
    node.syncedVote = node.vote;
    node.members = run.values.get(at);
  }

  /* What it holds from now on is what its disk holds. */
  stop(node, at) {
    node.up = this.run.say(at).replace(/^stops:? ?/, "") || "stopped";
    node.paused = false;
    node.role = node.leader = 0;
    node.term = node.syncedTerm;
    node.vote = node.syncedVote;
    node.log.cut(node.synced);
  }

  append(node, at) {
    const run = this.run, first = run.a[at], last = run.b[at];
    node.log.cut(first - 1);
    node.synced = Math.min(node.synced, first - 1);
    if (node.log.last < first - 1) node.log = new Log(first, first - 1);
    const lane = run.lane[at], heard = run.heard[lane];
    if (node.role === ROLES.indexOf("leader")) {
      node.log.add(first, last, node.term);
    } else {
      const from = heard >= 0 && run.peer[heard] !== NOBODY ? this.nodes[run.peer[heard]] : null;
      node.log.addFrom(from && from.log, first, last);
    }
  }

  sync(node, at) {
    const run = this.run;
    if (run.flags[at] & FLAG.entries) node.synced = Math.min(run.b[at], node.log.last);
    if (run.flags[at] & FLAG.state) {
      node.syncedTerm = run.term[at];
      node.syncedVote = run.c[at];
    }
  }

  fault(at) {
    const [name, value] = this.run.values.get(at) || [];
    if (name !== "pause" && name !== "resume") return;
    for (const id of value || []) {
      const node = this.nodes[this.run.lanes.get(id)];
      if (node) node.paused = name === "pause";
    }
  }
}

/* The copies that a run keeps, and the states in between. */
class States {
  constructor(run) {
    this.run = run;
    this.follower = new Follower(run);
    this.copies = [];
    this.latest = null; // { at, nodes, heard }: the answer before this one, from where time mostly goes on
  }

  take(at) {
    if (at % COPY_EVERY === 0)
      this.copies.push({ nodes: this.follower.nodes.map(copyNode), heard: this.run.heard.slice() });
    this.follower.take(at);
  }

  /* After the event at that position; -1: before all. */
  after(at) {
    const run = this.run, follower = new Follower(run);
    const place = Math.max(0, Math.floor(at / COPY_EVERY));
    let next = place * COPY_EVERY;
    if (this.latest && this.latest.at <= at && this.latest.at >= next) {
      next = this.latest.at + 1;
      follower.nodes = this.latest.nodes;
      run.heard.set(this.latest.heard);
    } else if (this.copies[place]) {
      follower.nodes = this.copies[place].nodes.map(copyNode);
      run.heard.set(this.copies[place].heard);
    }
    for (; next <= at; next++) {
      if (run.kind[next] === KIND.receive && run.lane[next] !== NOBODY) run.heard[run.lane[next]] = next;
      follower.take(next);
    }
    this.latest = { at, nodes: follower.nodes, heard: run.heard.slice() };
    return follower.nodes;
  }
}
