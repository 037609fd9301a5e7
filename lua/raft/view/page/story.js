/*
 * story: what of a run is drawn as a whole, however many events it has: for how long each node had
 * which role, what faults were in force, when leaders were elected, when entries were committed,
 * where something was violated. It is collected while the run is read.
 */

const LEADER = ROLES.indexOf("leader");
const DOWN = 100, ABSENT = 101; // beside ROLES, as what a lane shows

class Story {
  constructor(run, states) {
    this.run = run;
    this.states = states;
    this.spells = run.nodes.map(() => ({ time: [0], role: [ABSENT], term: [0] }));
    this.bands = []; // { type, label, from, to, lanes, at }
    this.open = new Map(); // bands that have not ended, by what they are
    this.elections = { time: [], value: [], at: [], lane: [], term: [] };
    this.commits = { time: [], value: [], at: [] }; // how long each entry took from its append by the leader
    this.progress = { time: [], value: [] }; // the highest commit index
    this.alarms = []; // positions of violations and of a failed verdict
    this.byLane = run.nodes.map(() => []);
    this.messages = { at: [], end: [] };
    this.waiting = run.nodes.map(() => []);
    this.campaigns = run.nodes.map(() => null); // since when each has tried to become leader
    this.highest = 0;
    this.isWhole = false; // whether the trace has the nodes' starts
  }

  /* After the states have taken the event. */
  take(at) {
    const run = this.run, kind = run.kind[at], lane = run.lane[at];
    if (lane !== NOBODY) {
      this.byLane[lane].push(at);
      this.spell(lane, at);
    }
    switch (kind) {
    case KIND.role: this.role(at, lane); break;
    case KIND.append: this.append(at, lane); break;
    case KIND.commit: this.commit(at, lane); break;
    case KIND.fault: this.fault(at); break;
    case KIND.start:
      this.isWhole = true;
      this.end("crash/" + lane, at);
      break;
    case KIND.stop: this.stop(at, lane); break;
    case KIND.violation: this.alarms.push(at); break;
    case KIND.send: this.messages.at.push(at); break;
    case KIND.receive: // nobody's send is known: a client's
      if (run.cause[at] < 0 && run.peer[at] === NOBODY) this.messages.at.push(at);
      break;
    default:
    }
  }

  spell(lane, at) {
    const node = this.states.follower.nodes[lane], spells = this.spells[lane], latest = spells.time.length - 1;
    const role = node.up === "running" ? node.role : node.up === "absent" ? ABSENT : DOWN;
    if (spells.role[latest] === role && spells.term[latest] === node.term) return;
    if (spells.time[latest] === this.run.time[at]) {
      spells.role[latest] = role;
      spells.term[latest] = node.term;
      return;
    }
    spells.time.push(this.run.time[at]);
    spells.role.push(role);
    spells.term.push(node.term);
  }

  role(at, lane) {
    const run = this.run, role = ROLES[run.c[at]];
    if (role === "pre_candidate" || role === "candidate") {
      if (this.campaigns[lane] === null) this.campaigns[lane] = run.time[at];
    } else if (role === "leader") {
      const { time, value, at: places, lane: lanes, term } = this.elections;
      time.push(run.time[at]);
      value.push(this.campaigns[lane] === null ? NaN : run.time[at] - this.campaigns[lane]);
      places.push(at);
      lanes.push(lane);
      term.push(run.term[at]);
    }
    if (role !== "pre_candidate" && role !== "candidate") this.campaigns[lane] = null;
    this.waiting[lane] = [];
  }

  append(at, lane) {
    if (this.states.follower.nodes[lane].role === LEADER) this.waiting[lane].push(at);
  }

  commit(at, lane) {
    const run = this.run, index = run.a[at], waiting = this.waiting[lane];
    while (waiting.length > 0 && run.b[waiting[0]] <= index) {
      const append = waiting.shift();
      this.commits.time.push(run.time[at]);
      this.commits.value.push(run.time[at] - run.time[append]);
      this.commits.at.push(at);
    }
    if (index > this.highest) {
      const count = this.highest === 0 && !this.isWhole ? 1 : index - this.highest;
      for (let more = Math.min(count, 1000); more > 0; more--) this.progress.time.push(run.time[at]);
      this.highest = index;
    }
  }

  stop(at, lane) {
    this.end("pause/" + lane, at);
    this.end("crash/" + lane, at);
    this.waiting[lane] = [];
    this.campaigns[lane] = null;
    const why = this.run.say(at).replace(/^stops:? ?/, "");
    const label = why === "crash" ? "crashed" : why || "stopped";
    this.begin("crash/" + lane, { type: "crash", label, lanes: [lane] }, at);
  }

  begin(key, band, at) {
    this.end(key, at);
    Object.assign(band, { from: this.run.time[at], to: Infinity, at });
    this.open.set(key, band);
    this.bands.push(band);
  }

  end(key, at) {
    const band = this.open.get(key);
    if (!band) return;
    band.to = this.run.time[at];
    this.open.delete(key);
  }

  endAll(types, at) {
    for (const [key, band] of [...this.open]) if (types.includes(band.type)) this.end(key, at);
  }

  lanesOf(ids) {
    return (Array.isArray(ids) ? ids : [ids]).map(id => this.run.lanes.get(id)).filter(lane => lane !== undefined);
  }

  fault(at) {
    const [name, value] = this.run.values.get(at);
    const lanes = Array.isArray(value) ? this.lanesOf(value.flat()) : [];
    switch (name) {
    case "pause":
      for (const lane of lanes) this.begin("pause/" + lane, { type: "pause", label: "paused", lanes: [lane] }, at);
      break;
    case "resume":
      for (const lane of lanes) this.end("pause/" + lane, at);
      break;
    case "disconnect":
      for (const lane of lanes)
        this.begin("cut/" + lane, { type: "cut", label: "disconnected", lanes: [lane], alone: true }, at);
      break;
    case "reconnect":
      for (const lane of lanes) this.end("cut/" + lane, at);
      break;
    case "partition":
      this.begin("partition", { type: "partition", lanes, groups: value.map(ids => this.lanesOf(ids)),
        label: value.map(ids => ids.join(",")).join(" | ") }, at);
      break;
    case "heal": this.endAll(["partition", "cut", "link"], at); break;
    case "link": this.link(value, at); break;
    case "disk": this.oddity("disk", value, at); break;
    case "clock": this.oddity("clock", value, at); break;
    default:
    }
  }

  link(value, at) {
    const key = `link/${value.from}/${value.to}`;
    const said = LINK_FAULTS.filter(name => name in value).map(name => value[name] === true ? name
      : `${name} ${name === "delay" ? milliseconds(value[name]) : words(value[name])}`);
    if (value.default || said.length === 0) {
      this.end(key, at);
      return;
    }
    const lanes = this.lanesOf([value.from, value.to]);
    const which = value.from === "*" && value.to === "*" ? "all links" : `${value.from}→${value.to}`;
    this.begin(key, { type: value.cut ? "cut" : "link", label: `${which}: ${said.join(", ")}`, lanes }, at);
  }

  /* A disk or a clock that is not as it should be. */
  oddity(type, value, at) {
    const lane = this.run.lanes.get(value.node), key = `${type}/${lane}`;
    if (lane === undefined) return;
    const said = Object.entries(value).filter(([name, one]) => name !== "node" && !(name === "sync_delay")
      && !(name === "rate" && one === 1) && !(name === "offset" && one === 0));
    if (said.length === 0) {
      this.end(key, at);
      return;
    }
    const label = said.map(([name, one]) => one === true ? name : `${name} ${words(one)}`).join(", ")
      .replace(/_/g, " ");
    this.begin(key, { type, label: `${type} ${label}`, lanes: [lane] }, at);
  }

  async finish() {
    const run = this.run, end = run.count > 0 ? run.time[run.count - 1] : 0;
    for (const band of this.bands) if (band.to === Infinity) band.to = end;
    this.first = run.count > 0 ? run.time[0] : 0;
    this.last = end;
    if (run.choice) this.narrow();
    for (let lane = 0; lane < this.byLane.length; lane++) {
      this.byLane[lane] = Uint32Array.from(this.byLane[lane]);
      await breathe();
    }
    this.stack();
    await this.endMessages();
  }

  /* Of a part of a run: from its first event to its last, not from the run's beginning to its verdict. */
  narrow() {
    const { run } = this, is = at => run.kind[at] === KIND.run || run.kind[at] === KIND.verdict;
    let first = 0, last = run.count - 1;
    while (first < last && is(first)) first++;
    while (last > first && is(last)) last--;
    this.first = run.time[first];
    this.last = run.time[last];
    for (const band of this.bands) band.to = Math.min(band.to, this.last);
  }

  /* Bands that overlap stand in rows of their own. Those of one node stand on its lane. */
  stack() {
    const rows = [];
    for (const band of this.bands) {
      if (band.type === "crash" || band.type === "pause") continue;
      let row = rows.findIndex(end => end <= band.from);
      if (row < 0) row = rows.length;
      rows[row] = band.to;
      band.row = row;
    }
    this.bandRows = rows.length;
  }

  /* When each message arrived or was lost, in blocks, so that long ones are found when only their middle is seen. */
  async endMessages() {
    const run = this.run, list = this.messages.at;
    // Processes have clocks of their own: their events may stand a little out of order.
    if (run.isUnsorted) list.sort((a, b) => run.time[a] - run.time[b] || a - b);
    const ends = new Float64Array(list.length);
    for (let number = 0; number < list.length; number++) {
      let end = run.time[list[number]];
      for (let effect = run.effect[list[number]]; effect >= 0; effect = run.sibling[effect])
        end = Math.max(end, run.time[effect]);
      ends[number] = end;
      if (number % 4096 === 0) await breathe();
    }
    const blocks = new Float64Array(Math.ceil(list.length / 256));
    for (let number = 0; number < list.length; number++)
      blocks[number >> 8] = Math.max(blocks[number >> 8], ends[number]);
    this.messages = { at: Uint32Array.from(list), end: ends, blocks };
  }
}

const LINK_FAULTS = ["cut", "drop", "delay", "reorder", "duplicate", "bandwidth"];

function words(value) {
  return typeof value === "number" ? String(Number(value.toPrecision(2))) : String(value);
}

function milliseconds(value) {
  return (Array.isArray(value) ? value.map(one => words(one * 1000)).join("–") : words(value * 1000)) + " ms";
}
