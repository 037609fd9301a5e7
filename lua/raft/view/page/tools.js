/*
 * tools: the head of the page: which run, the filters, zoom, light and dark, what was violated.
 */

function chip(parent, text, title, isOn, toggle) {
  const button = element("button", { type: "button", class: "chip", "aria-pressed": String(isOn), title }, parent,
    text);
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    toggle(on);
  });
  return button;
}

function fillTools(run, filter, counts) {
  const nodes = byId("nodes"), kinds = byId("kinds");
  nodes.textContent = kinds.textContent = "";
  run.nodes.forEach((id, lane) => {
    chip(nodes, run.names ? run.names[lane] : "n" + id, run.nameOf(lane), true, on => {
      filter.lanes[lane] = on;
      filterChanged(true);
    }).setAttribute("data-node", id);
  });
  CATEGORIES.forEach((category, number) => {
    if (counts[number] === 0) return;
    const title = `${category.title} (${counts[number].toLocaleString("en")})`;
    chip(kinds, `${category.sign} ${category.label}`, title, !category.off, on => {
      filter.kinds[category.id] = on;
      filterChanged(category.id === "faults");
    }).setAttribute("data-kind", category.id);
  });
  byId("term-from").value = byId("term-to").value = "";
}

async function countCategories(run) {
  const counts = new Uint32Array(CATEGORIES.length);
  for (let at = 0; at < run.count; at++) {
    counts[categoryOf(run, at)]++;
    if (at % 8192 === 0) await breathe();
  }
  return counts;
}

function toggleKind(id) {
  const button = document.querySelector(`#kinds [data-kind=${id}]`);
  if (button) button.click();
}

function filterChanged(lanes) {
  current.filter.update();
  paint.changes++;
  if (lanes) resize();
  current.stale = true;
  requestDraw();
}

function fillHead(run) {
  const hasFailed = run.verdict === "failed" || (!run.verdict && run.story.alarms.length > 0);
  const verdict = byId("verdict"), said = hasFailed ? "✗ failed" : run.verdict ? "✓ passed" : "no verdict";
  verdict.textContent = said;
  verdict.className = "verdict " + (said.startsWith("✓") ? "good" : said.startsWith("✗") ? "bad" : "");
  byId("name").textContent = run.name;
  document.title = `${run.name}: ${said.replace(/^\S /, "")}`;
  const parts = [];
  if (run.mode) parts.push("mode " + run.mode);
  if (run.seed !== undefined) parts.push("seed " + run.seed);
  parts.push(`${((run.story.last - run.story.first) / 1e9).toFixed(3)} s`, `${run.count.toLocaleString("en")} events`,
    `${run.nodes.length} nodes`);
  if (run.choice) parts.push("shown: " + run.choice);
  byId("meta").textContent = parts.join(" · ");
}

function fillRuns() {
  const pick = byId("run");
  if (current.runs.length < 2) return;
  byId("run-label").hidden = false;
  current.runs.forEach(({ head }, number) => {
    const sign = head.verdict === "passed" ? "✓" : head.verdict === "failed" || head.violated ? "✗" : "·";
    element("option", { value: number }, pick, `${sign} ${number + 1}. ${head.name}`);
  });
  pick.addEventListener("change", () => openRun(Number(pick.value)));
}

/* What went wrong, where anything did. */
function fillAlert(run) {
  const alert = byId("alert"), at = run.story.alarms[0];
  const broken = (run.clients || []).find(group => group.verdict === "no");
  alert.hidden = at === undefined && !broken && run.verdict !== "failed";
  byId("alert-why").hidden = !broken || !broken.picture;
  byId("alert-show").hidden = at === undefined && !(broken && broken.failing >= 0);
  if (at !== undefined) byId("alert-text").textContent = run.say(at).replace(/^‼ /, "");
  else if (broken) byId("alert-text").textContent = `${broken.name}: the history is not linearizable`;
  else byId("alert-text").textContent = "FAILED" + (run.why ? ": " + run.why : "");
}

function showWhy(group) {
  const dialog = byId("why");
  dialog.textContent = "";
  const head = element("div", { class: "dialog-head" }, dialog);
  element("h2", {}, head, group.name);
  closeButton(head, dialog);
  const picture = document.querySelector(`script.picture[data-picture="${group.picture}"]`);
  element("iframe", { title: "Why the history is not linearizable", sandbox: "allow-scripts",
    srcdoc: JSON.parse(picture.textContent) }, dialog);
  dialog.showModal();
}

/* Whether the axis goes by order or by time; what is shown has to be set then. */
function setAxis(byOrder) {
  view.byOrder = byOrder;
  byId("order").setAttribute("aria-pressed", String(byOrder));
  byId("axis").textContent = byOrder ? "even steps" : "time";
}

// ---- light and dark --------------------------------------------------------------------------

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function switchTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  themeChanged();
}

function themeChanged() {
  readColours();
  overview.still = null;
  current.stale = true;
  requestDraw();
}

function listenToTools() {
  const onClick = (id, call) => byId(id).addEventListener("click", call);
  onClick("zoom-in", () => zoom(0.5));
  onClick("zoom-out", () => zoom(2));
  onClick("fit", () => showAll());
  onClick("order", () => {
    const { from, to } = view;
    setAxis(!view.byOrder);
    showSpan(from, to);
  });
  onClick("theme", () => switchTheme());
  onClick("help", () => showKeys());
  onClick("step-back", () => step(-1));
  onClick("step-next", () => step(1));
  onClick("alert-show", () => showTrouble());
  onClick("alert-why", () => showWhy(current.run.clients.find(group => group.verdict === "no")));
  for (const name of Object.keys(TABS)) onClick("tab-" + name, () => showTab(name));
  onClick("filters", () => {
    const open = byId("bar").classList.toggle("open");
    byId("filters").setAttribute("aria-expanded", String(open));
    resize();
  });
  const terms = () => {
    const from = byId("term-from").value, to = byId("term-to").value;
    current.filter.termFrom = from === "" ? 0 : Number(from);
    current.filter.termTo = to === "" ? Infinity : Number(to);
    filterChanged(false);
  };
  byId("term-from").addEventListener("input", terms);
  byId("term-to").addEventListener("input", terms);
  byId("time").addEventListener("input", event => {
    const { first, last } = current.run.story, time = first + event.target.value / 10000 * (last - first);
    setMoment(time);
    reveal(time);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themeChanged);
}
