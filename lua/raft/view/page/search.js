/*
 * search: finds events by their words, and by node:2, kind:vote, term:3. It goes through the trace
 * a little at a time and counts the matches meanwhile.
 */

const search = { query: "", test: null, matches: [], done: true, turn: 0 };

/* A function from a position to whether it matches; null: nothing is asked. */
function compileQuery(run, query) {
  const tests = [];
  for (const word of query.toLowerCase().match(/"[^"]*"|\S+/g) || []) {
    const [, name, value] = /^(node|kind|term|message):(.+)$/.exec(word) || [];
    const text = word.replace(/"/g, "");
    if (name === "node") tests.push(at => run.lane[at] !== NOBODY && String(run.nodes[run.lane[at]]) === value);
    else if (name === "term") tests.push(at => String(run.term[at]) === value);
    else if (name === "kind") tests.push(at => KINDS[run.kind[at]] === value);
    else if (name === "message") tests.push(at => run.messages[run.message[at]].includes(value));
    else tests.push(at => run.say(at).toLowerCase().includes(text));
  }
  return tests.length === 0 ? null : at => tests.every(test => test(at));
}

async function startSearch(query) {
  const { run } = current, turn = ++search.turn;
  search.query = query;
  search.matches = [];
  search.test = compileQuery(run, query);
  search.done = !search.test;
  tellFound();
  if (!search.test) return;
  for (let at = 0; at < run.count; at++) {
    if (search.test(at)) search.matches.push(at);
    if (at % 256 === 255) {
      const pause = breathe();
      if (pause) {
        tellFound();
        await pause;
        if (turn !== search.turn) return;
      }
    }
  }
  search.done = true;
  tellFound();
}

/* The next match behind the present event, or before it; round the end. */
function goToMatch(forward) {
  const { matches } = search;
  if (matches.length === 0) return;
  const from = current.chosen >= 0 ? current.chosen : current.position;
  let place = lowerBound(matches, matches.length, from, forward) - (forward ? 0 : 1);
  place = (place + matches.length) % matches.length;
  choose(matches[place], true);
  tellFound();
}

function tellFound() {
  const { matches } = search, place = matches.indexOf(current.chosen);
  const count = matches.length.toLocaleString("en") + (search.done ? "" : "…");
  byId("found").textContent = !search.test ? "" : matches.length === 0 && search.done ? "none"
    : place >= 0 ? `${(place + 1).toLocaleString("en")} of ${count}` : count;
}

function listenToSearch() {
  let timer = 0;
  byId("query").addEventListener("input", event => {
    clearTimeout(timer);
    timer = setTimeout(() => startSearch(event.target.value.trim()), 120);
  });
  byId("search").addEventListener("submit", async event => {
    event.preventDefault();
    const query = byId("query").value.trim();
    clearTimeout(timer);
    if (query !== search.query) startSearch(query);
    while (!search.done && search.matches.length === 0) await new Promise(resolve => setTimeout(resolve, 10));
    goToMatch(true);
  });
  byId("find-back").addEventListener("click", () => goToMatch(false));
}
