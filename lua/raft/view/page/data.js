/*
 * data: the runs of the trace as columns of numbers. It reads what raft.view.columns (Lua) has
 * written and describes, a chunk at a time, so that the page answers meanwhile. What is needed for
 * drawing is kept for each event; all other fields are read again from the chunk when one asks.
 */

const KINDS = ["start", "stop", "role", "vote", "send", "receive", "drop", "append", "truncate", "write", "sync",
  "match", "commit", "apply", "snapshot", "install", "restore", "members", "read", "confirm", "connect", "disconnect",
  "client", "fault", "notice", "note", "violation", "run", "verdict", "other"];
const KIND = Object.fromEntries(KINDS.map((name, number) => [name, number]));
const ROLES = ["follower", "pre_candidate", "candidate", "leader", "learner"];
const FLAG = { reject: 1, flag: 2, heartbeat: 4, state: 8, entries: 16 };
const NOBODY = 65535; // the lane of an event that no node did

/* Gives the browser its turn whenever eight milliseconds have passed: a promise then, else null. */
const breathe = (() => {
  const channel = new MessageChannel(), waiting = [];
  let since = 0;
  channel.port1.onmessage = () => {
    since = performance.now();
    waiting.shift()();
  };
  return () => {
    if (performance.now() - since < 8) return null;
    return new Promise(resolve => {
      waiting.push(resolve);
      channel.port2.postMessage(0);
    });
  };
})();

const DIGITS = (() => {
  const values = new Uint8Array(128);
  [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"].forEach((digit, value) => {
    values[digit.charCodeAt(0)] = value;
  });
  return values;
})();

const NUMBER_FIELDS = new Set(["peer", "number", "term", "index", "first", "last", "sequence", "prev_index",
  "prev_term", "commit", "vote", "entries"]);
const FLAG_FIELDS = new Set(["reject", "flag"]);

/* The events of one chunk, one after the other: next() fills `event`, whose fields a shape lists. */
class ChunkReader {
  constructor(text) {
    const end = text.indexOf("\n");
    const head = JSON.parse(text.slice(0, end));
    this.text = text;
    this.at = end + 1;
    this.left = head.events;
    this.strings = head.strings;
    this.shapes = head.shapes.map(([kind, ...names]) => ({
      kind: kind in KIND ? KIND[kind] : KIND.other, name: kind,
      numbers: names.filter(name => NUMBER_FIELDS.has(name)),
      texts: names.filter(name => !NUMBER_FIELDS.has(name) && !FLAG_FIELDS.has(name)),
      flags: names.filter(name => FLAG_FIELDS.has(name)),
    }));
    this.time = 0;
    this.last = new Map();
  }

  unsigned() {
    let value = 0, factor = 1;
    for (;;) {
      const digit = DIGITS[this.text.charCodeAt(this.at++)];
      if (digit >= 32) return value + (digit - 32) * factor;
      value += digit * factor;
      factor *= 32;
    }
  }

  signed() {
    const digit = DIGITS[this.text.charCodeAt(this.at++)];
    let value = (digit & 31) >> 1;
    if (digit < 32) value += 16 * this.unsigned();
    return digit & 1 ? -value : value;
  }

  next(event) {
    const shape = this.shapes[this.unsigned()];
    this.time += this.signed();
    event.shape = shape;
    event.kind = shape.kind;
    event.time = this.time;
    event.node = this.unsigned();
    event.words = this.unsigned();
    event.cause = this.unsigned();
    const last = this.lastOf(event.node);
    for (const name of shape.numbers) event[name] = last[name] = (last[name] || 0) + this.signed();
    for (const name of shape.texts) event[name] = this.strings[this.unsigned()];
    this.left--;
  }

  lastOf(node) {
    let last = this.last.get(node);
    if (!last) this.last.set(node, last = {});
    return last;
  }
}

/* One run: what is known of it as a whole, and its events. */
class Run {
  constructor(head, chunks) {
    Object.assign(this, head);
    this.chunks = chunks;
    this.lanes = new Map(head.nodes.map((id, lane) => [id, lane]));
    this.clear();
  }

  clear() {
    const size = this.events;
    this.count = 0;
    this.time = new Float64Array(size);
    this.instants = new Float64Array(size); // the times, each once
    this.instantCount = 0;
    this.isUnsorted = false;
    this.kind = new Uint8Array(size);
    this.lane = new Uint16Array(size);
    this.peer = new Uint16Array(size);
    this.term = new Uint32Array(size); // the event's, else the node's
    this.a = new Uint32Array(size); // its index, or the first one
    this.b = new Uint32Array(size); // the last one, or the entry's term
    this.c = new Uint32Array(size); // whom it votes for, or a role
    this.message = new Uint8Array(size);
    this.flags = new Uint8Array(size);
    this.words = new Uint32Array(size);
    this.cause = new Int32Array(size);
    this.effect = new Int32Array(size).fill(-1); // the latest event that came of it
    this.sibling = new Int32Array(size).fill(-1); // another that came of the same
    this.texts = [];
    this.textPlaces = new Map();
    this.messages = [""];
    this.messagePlaces = new Map([["", 0]]);
    this.chunkStarts = [];
    this.values = new Map(); // of faults and the like, by position
    this.termNow = new Uint32Array(this.nodes.length);
    this.heard = new Int32Array(this.nodes.length).fill(-1); // the latest message that each received
  }

  /* Reads all chunks; calls each(position) after each event. */
  async read(each, progress) {
    for (const chunk of this.chunks) {
      const reader = new ChunkReader(chunk);
      const words = new Map();
      this.chunkStarts.push(this.count);
      while (reader.left > 0) {
        for (let some = Math.min(reader.left, 512); some > 0; some--) {
          const event = {};
          reader.next(event);
          this.keep(event, reader, words);
          each(this.count - 1);
        }
        const pause = breathe();
        if (pause) {
          progress(this.count / this.events);
          await pause;
        }
      }
    }
  }

  /* A log may not tell a term. */
  termWords(term) {
    return this.isLog && term === 0 ? "" : "t" + term;
  }

  laneOf(id) {
    const lane = id ? this.lanes.get(id) : undefined;
    return lane === undefined ? NOBODY : lane;
  }

  keep(event, reader, words) {
    const at = this.count++, lane = this.laneOf(event.node);
    this.time[at] = event.time;
    if (this.instantCount === 0 || event.time > this.instants[this.instantCount - 1])
      this.instants[this.instantCount++] = event.time;
    else if (event.time < this.instants[this.instantCount - 1]) this.isUnsorted = true;
    this.kind[at] = event.kind;
    this.lane[at] = lane;
    this.peer[at] = this.laneOf(event.peer);
    if (lane !== NOBODY && event.term !== undefined && !event.message) this.termNow[lane] = event.term;
    this.term[at] = event.term !== undefined ? event.term : lane !== NOBODY ? this.termNow[lane] : 0;
    this.a[at] = event.first !== undefined ? event.first : event.index || 0;
    this.b[at] = event.last !== undefined ? event.last : event.prev_term || 0;
    this.c[at] = event.role !== undefined ? ROLES.indexOf(event.role) : event.vote || 0;
    this.message[at] = event.message ? this.messageOf(event.message) : 0;
    this.flags[at] = this.flagsOf(event);
    this.words[at] = this.wordsOf(event.words, reader, words);
    this.cause[at] = event.cause ? at - event.cause : -1;
    if (event.rest !== undefined) this.values.set(at, JSON.parse(event.rest).value);
    if (event.text !== undefined && event.kind === KIND.fault) this.values.set(at, [event.text, this.values.get(at)]);
    this.connect(at, lane);
  }

  flagsOf(event) {
    let flags = 0;
    for (const name of event.shape.flags) flags |= FLAG[name];
    if (event.what && event.what.includes("state")) flags |= FLAG.state;
    if (event.what && event.what.includes("entries")) flags |= FLAG.entries;
    if (event.message === "append" && !event.entries) flags |= FLAG.heartbeat;
    return flags;
  }

  /* Ties an event to what it came from; an answer to a heartbeat is as routine as that. */
  connect(at, lane) {
    const cause = this.cause[at], kind = this.kind[at];
    if (cause >= 0) {
      this.sibling[at] = this.effect[cause];
      this.effect[cause] = at;
      this.message[at] = this.message[cause];
      this.flags[at] |= this.flags[cause] & FLAG.heartbeat;
    }
    if (lane === NOBODY) return;
    if (kind === KIND.receive) {
      this.heard[lane] = at;
    } else if (kind === KIND.send && this.messages[this.message[at]] === "append_response") {
      const heard = this.heard[lane];
      if (heard >= 0 && this.time[heard] === this.time[at] && !(this.flags[at] & FLAG.reject))
        this.flags[at] |= this.flags[heard] & FLAG.heartbeat;
    }
  }

  messageOf(name) {
    let place = this.messagePlaces.get(name);
    if (place === undefined) {
      place = Math.min(this.messages.length, 255);
      this.messagePlaces.set(name, place);
      this.messages[place] = name;
    }
    return place;
  }

  wordsOf(number, reader, words) {
    let place = words.get(number);
    if (place === undefined) {
      const text = reader.strings[number];
      place = this.textPlaces.get(text);
      if (place === undefined) {
        place = this.texts.length;
        this.texts.push(text);
        this.textPlaces.set(text, place);
      }
      words.set(number, place);
    }
    return place;
  }

  /* An event in a few words, those of the table. */
  say(at) {
    const text = this.texts[this.words[at]];
    const place = text.search(/[\x01-\x03]/);
    if (place < 0) return text;
    let middle = String(this.a[at]);
    if (text[place] === "\x01") middle = this.peer[at] === NOBODY ? "client" : String(this.nodes[this.peer[at]]);
    else if (text[place] === "\x03" && this.a[at] !== this.b[at]) middle += ".." + this.b[at];
    return text.slice(0, place) + middle + text.slice(place + 1);
  }

  /* All fields of an event, by name. */
  fields(at) {
    let chunk = this.chunkStarts.length - 1;
    while (this.chunkStarts[chunk] > at) chunk--;
    const reader = new ChunkReader(this.chunks[chunk]);
    let event = {};
    for (let left = at - this.chunkStarts[chunk]; left >= 0; left--) {
      event = {};
      reader.next(event);
    }
    const fields = { time: event.time, node: event.node, kind: event.shape.name };
    for (const name of [...event.shape.numbers, ...event.shape.texts])
      if (name !== "rest") fields[name] = event[name];
    for (const name of event.shape.flags) fields[name] = true;
    if (event.rest !== undefined) Object.assign(fields, JSON.parse(event.rest));
    return fields;
  }

  /* The first position whose time is not before (or, strictly, is after) t. */
  firstFrom(t, after) {
    return lowerBound(this.time, this.count, t, after);
  }

  nameOf(lane) {
    return lane === NOBODY ? "" : "node " + (this.names || this.nodes)[lane];
  }
}

/* In the first `count` of a rising list: the first place whose value is not below t, or is above it. */
function lowerBound(list, count, t, above) {
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (above ? list[middle] <= t : list[middle] < t) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* The runs as they stand in the page, not yet read. */
function findRuns() {
  const heads = [], chunks = [];
  for (const element of document.querySelectorAll("script.chunk")) {
    const number = Number(element.dataset.run);
    (chunks[number] = chunks[number] || []).push(element.textContent.trim());
    element.remove();
  }
  for (const element of document.querySelectorAll("script.run"))
    heads[Number(element.dataset.run)] = JSON.parse(element.textContent);
  return heads.map((head, number) => ({ head, chunks: chunks[number] || [] }));
}

function seconds(ns, digits) {
  const text = (ns / 1e9).toFixed(digits === undefined ? 6 : digits);
  return (/[1-9]/.test(text) ? text : text.replace("-", "")) + " s";
}
