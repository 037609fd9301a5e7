/*
 * panel: beside the diagram, the nodes at the chosen moment, the chosen event with its fields,
 * where it came from and what came of it, and the events around it as a list.
 */

const CELLS_MOST = 24; // of a log's end

function element(name, attributes, parent, text) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {}))
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.appendChild(made);
  return made;
}

function byId(id) {
  return document.getElementById(id);
}

// ---- state -----------------------------------------------------------------------------------

function showState(run) {
  const nodes = run.states.after(current.position), panel = byId("state");
  panel.textContent = "";
  element("p", { class: "faint at" }, panel,
    `after event ${current.position + 1} of ${run.count}, ${seconds(current.time)}`);
  nodes.forEach(node => showNode(node, panel));
  element("p", { class: "faint legend" }, panel,
    "Cells: the entry's term. Filled: committed as far as this node knows; framed: not yet; dotted: not on its disk.");
}

function upOf(node) {
  if (node.up === "absent") return ["absent", "not started"];
  if (node.up !== "running") return ["down", node.up === "crash" ? "crashed" : node.up];
  if (node.paused) return ["paused", `paused ${ROLE_WORDS[node.role]}`];
  return [ROLES[node.role] || "unknown", ROLE_WORDS[node.role]];
}

const ROLE_SIGNS = { leader: "L", candidate: "C", pre_candidate: "P", follower: "F", learner: "O", down: "✕",
  paused: "‖" };

function showNode(node, panel) {
  const [role, said] = upOf(node), name = current.run.nameOf(current.run.lanes.get(node.id));
  const card = element("section", { class: "card " + termClass(node.term), "data-node": node.id, "data-role": role,
    "data-term": node.term, "data-commit": node.commit, "data-applied": node.applied, "aria-label": name }, panel);
  const head = element("h3", {}, card);
  element("span", { class: "sign", "aria-hidden": true }, head,
    ROLE_SIGNS[role] || "·");
  element("b", {}, head, name);
  element("span", { class: "role" }, head, said);
  element("span", { class: "term" }, head, node.up === "absent" ? "" : current.run.termWords(node.term));
  const facts = element("dl", {}, card);
  const fact = (name, value, title) => {
    const pair = element("div", { title }, facts);
    element("dt", {}, pair, name);
    element("dd", {}, pair, value);
  };
  fact("vote", node.vote || "–", "whom it voted for in this term");
  fact("leader", node.leader || "–", "whom it follows");
  fact("commit", node.up === "running" ? node.commit : "–", "its commit index");
  fact("applied", node.up === "running" ? node.applied : "–", "the last entry that its machine has");
  fact("synced", node.synced, "the last entry that is on its disk");
  showLog(node, card);
}

/* The end of a log as cells. Only numbers go into the markup. */
function showLog(node, card) {
  const { log } = node, first = Math.max(log.first, log.last - CELLS_MOST + 1), parts = [];
  if (log.first > 1 && first === log.first)
    parts.push(`<li class="more" title="a snapshot takes the place of these">▣ ..${log.first - 1}</li>`);
  else if (first > log.first) parts.push(`<li class="more">${log.first}..</li>`);
  if (log.last < log.first) parts.push('<li class="more">empty</li>');
  for (let index = first; index <= log.last; index++) {
    const term = log.termAt(index), committed = index <= node.commit, synced = index <= node.synced;
    parts.push(`<li class="cell ${termClass(term)}${committed ? " committed" : ""}${synced ? "" : " unsynced"}" `
      + `data-index="${index}" title="entry ${index}, term ${term < 0 ? "unknown" : term}, `
      + `${committed ? "committed" : "not committed"}, ${synced ? "on disk" : "not yet on disk"}">`
      + `${term < 0 ? "?" : term}</li>`);
  }
  if (log.last >= log.first) parts.push(`<li class="more">..${log.last}</li>`);
  const strip = element("ol", { class: "log",
    "aria-label": log.last < log.first ? "log: empty" : `log: entries ${log.first} to ${log.last}` }, card);
  strip.innerHTML = parts.join("");
}

function termClass(term) {
  return term > 0 ? "term" + (term - 1) % TERM_COLOURS : "no-term";
}

// ---- the event -------------------------------------------------------------------------------

function showEvent(run) {
  const panel = byId("event"), at = current.chosen;
  panel.textContent = "";
  if (current.operation) {
    showOperation(run, panel, current.operation);
    return;
  }
  if (at < 0) {
    element("p", { class: "faint" }, panel, "Click an event or an arrow, or step through the events with [ and ].");
    return;
  }
  const said = sentence(run, at);
  element("h3", { class: said.length > 110 ? "said long" : "said" }, panel, said);
  element("p", { class: "faint" }, panel, `event ${at + 1} of ${run.count}, ${seconds(run.time[at], 9)}`);
  links(run, panel, "Came from", causesOf(run, at), "cause");
  links(run, panel, "What came of it", effectsOf(run, at), "effect");
  if (run.kind[at] === KIND.send && run.effect[at] < 0 && run.peer[at] !== NOBODY)
    element("p", { class: "faint" }, panel, "It is not seen to arrive or to be lost.");
  const table = element("table", { class: "fields" }, panel);
  element("caption", {}, table, "Fields");
  for (const [name, value] of Object.entries(run.fields(at))) {
    const row = element("tr", { "data-field": name }, table);
    element("th", { scope: "row" }, row, name.replace(/_/g, " "));
    element("td", {}, row, name === "time" ? seconds(value, 9) : typeof value === "object" ? JSON.stringify(value)
      : String(value));
  }
}

function sentence(run, at) {
  const who = run.nameOf(run.lane[at]);
  return (who ? who + ": " : "") + run.say(at);
}

const LINKS_MOST = 30;

function links(run, panel, title, list, kind) {
  element("h4", {}, panel, title);
  if (list.length === 0) {
    element("p", { class: "faint" }, panel, kind === "cause"
      ? "Nothing in the trace: a timer, the script or a client." : "Nothing at this moment.");
    return;
  }
  const items = element("ul", { class: "links" }, panel);
  for (const at of list.slice(0, LINKS_MOST)) eventButton(run, element("li", {}, items), at, kind);
  if (list.length > LINKS_MOST) element("li", { class: "faint" }, items, `and ${list.length - LINKS_MOST} more`);
}

function eventButton(run, parent, at, kind) {
  const button = element("button", { type: "button", "data-event": at, "data-link": kind }, parent);
  element("span", { class: "faint" }, button, seconds(run.time[at]));
  element("span", {}, button, sentence(run, at));
  button.addEventListener("click", () => choose(at, true));
}

function showOperation(run, panel, { group, number }) {
  const end = group.end[number];
  element("h3", { class: "said" }, panel, group.labels[number]);
  element("p", {}, panel, `${group.lanes[group.lane[number]]}, ${group.name}`);
  const table = element("table", { class: "fields" }, panel);
  for (const [name, value] of [["called", seconds(group.begin[number])],
    ["returned", end >= 0 ? seconds(end) : "never known"],
    ["took", end >= 0 ? short((end - group.begin[number]) / 1e6) + " ms" : "–"],
    ["outcome", { ok: "ok", fail: "refused", info: "unknown" }[group.outcome[number]]]]) {
    const row = element("tr", {}, table);
    element("th", { scope: "row" }, row, name);
    element("td", {}, row, value);
  }
  if (number === group.failing) {
    element("p", { class: "bad" }, panel, "Where this returns, the history can no longer be explained.");
    const why = element("button", { type: "button" }, panel, "Why not linearizable");
    why.addEventListener("click", () => showWhy(group));
  }
}

// ---- the list --------------------------------------------------------------------------------

const AROUND = 40;

/* Events that are shown, around the moment. */
function showNear(run) {
  const panel = byId("near"), before = [], after = [], { filter } = current;
  for (let at = current.position; at >= 0 && before.length < AROUND && current.position - at < 20000; at--)
    if (filter.shows(run, at)) before.unshift(at);
  for (let at = current.position + 1; at < run.count && after.length < AROUND && at - current.position < 20000; at++)
    if (filter.shows(run, at)) after.push(at);
  panel.textContent = "";
  const list = element("ol", { class: "links events" }, panel);
  for (const at of [...before, ...after]) {
    const item = element("li", { "data-now": at === current.position }, list);
    eventButton(run, item, at, "near");
    if (at === current.chosen) item.firstChild.setAttribute("aria-current", "true");
  }
  const here = panel.querySelector("[aria-current]") || list.children[before.length - 1];
  if (here) panel.scrollTop = here.offsetTop - panel.clientHeight / 2;
}

// ---- which ----------------------------------------------------------------------------------

const TABS = { state: showState, event: showEvent, near: showNear };

function showTab(name) {
  current.tab = name;
  for (const tab of Object.keys(TABS)) {
    const button = byId("tab-" + tab);
    button.setAttribute("aria-selected", tab === name);
    button.tabIndex = tab === name ? 0 : -1;
    byId(tab).hidden = tab !== name;
  }
  current.stale = true;
  requestDraw();
}

/* In a frame: only the open panel, and only where it is no longer right. */
function refreshPanel(run) {
  if (!current.stale) return;
  current.stale = false;
  TABS[current.tab](run);
}
