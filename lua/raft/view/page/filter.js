/*
 * filter: which events are shown, by node, kind and term. It answers for one event at a time, fast
 * enough to be asked for each that is drawn.
 */

const CATEGORIES = [
  { id: "replication", label: "Replication", sign: "→", title: "messages that carry entries, and their answers" },
  { id: "heartbeats", label: "Heartbeats", sign: "♥", title: "a leader's empty messages, and answers to them",
    off: true },
  { id: "votes", label: "Votes", sign: "◆", title: "elections: votes, pre-votes, roles" },
  { id: "clients", label: "Clients", sign: "◌", title: "requests of clients and their answers; operations" },
  { id: "snapshots", label: "Snapshots", sign: "▣", title: "snapshots: taken, sent, installed, restored" },
  { id: "log", label: "Log", sign: "✓", title: "appended, removed, committed, applied; reads" },
  { id: "disk", label: "Disk", sign: "▪", title: "written and synced" },
  { id: "faults", label: "Faults", sign: "▶", title: "faults, crashes, starts, connections" },
  { id: "notes", label: "Notes", sign: "✎", title: "notes of the script, notices" },
  { id: "other", label: "Other", sign: "…", title: "messages and events of any other kind" },
];
const CATEGORY = Object.fromEntries(CATEGORIES.map((category, number) => [category.id, number]));

const CATEGORY_OF_KIND = (() => {
  const table = new Uint8Array(KINDS.length).fill(CATEGORY.other);
  const put = (category, kinds) => kinds.forEach(kind => { table[KIND[kind]] = CATEGORY[category]; });
  put("votes", ["role", "vote"]);
  put("log", ["append", "truncate", "match", "commit", "apply", "read", "confirm", "members"]);
  put("disk", ["write", "sync"]);
  put("snapshots", ["snapshot", "install", "restore"]);
  put("faults", ["fault", "start", "stop", "connect", "disconnect"]);
  put("notes", ["note", "notice", "run", "verdict"]);
  put("clients", ["client"]);
  return table;
})();

function categoryOfMessage(name) {
  if (/vote|timeout_now/.test(name)) return CATEGORY.votes;
  if (/^append/.test(name)) return CATEGORY.replication;
  if (/snapshot/.test(name)) return CATEGORY.snapshots;
  if (/client/.test(name)) return CATEGORY.clients;
  return CATEGORY.other;
}

function categoryOf(run, at) {
  const kind = run.kind[at];
  if (kind !== KIND.send && kind !== KIND.receive && kind !== KIND.drop) return CATEGORY_OF_KIND[kind];
  if (run.flags[at] & FLAG.heartbeat) return CATEGORY.heartbeats;
  return run.messageCategories[run.message[at]];
}

/* What the user has chosen. */
class Filter {
  constructor(run) {
    this.lanes = run.nodes.map(() => true);
    this.kinds = Object.fromEntries(CATEGORIES.map(category => [category.id, !category.off]));
    this.termFrom = 0;
    this.termTo = Infinity;
    run.messageCategories = Uint8Array.from(run.messages, categoryOfMessage);
    this.update();
  }

  update() {
    this.on = CATEGORIES.map(category => this.kinds[category.id]);
    this.anyTerm = this.termFrom === 0 && this.termTo === Infinity;
  }

  hasTerm(term) {
    return term >= this.termFrom && term <= this.termTo;
  }

  shows(run, at) {
    if (run.kind[at] === KIND.violation) return true;
    if (!this.on[categoryOf(run, at)]) return false;
    const lane = run.lane[at];
    return (lane === NOBODY || (this.lanes[lane] && (this.anyTerm || this.hasTerm(run.term[at]))));
  }
}
