// The list of rows: newest first, each event once, at most MOST of them and what was asked for beside.
import { rowOf, showRepeats, showTime } from "./row.js";

const MOST = 1000;

/** Return a list that rows are put into. */
export function createStream(list) {
  let most = MOST;
  let shown = []; // [{item, row}], newest first
  const byKey = new Map();

  function add(item, isArriving) {
    const known = byKey.get(item.key);
    if (known) return repeat(known, item);
    const entry = { item, row: rowOf(item) };
    if (isArriving) entry.row.classList.add("arriving");
    const place = shown.findIndex((other) => isNewer(item, other.item));
    const index = place === -1 ? shown.length : place;
    list.insertBefore(entry.row, shown[index]?.row ?? null);
    shown.splice(index, 0, entry);
    byKey.set(item.key, entry);
  }

  function repeat(known, item) {
    // what history and the live stream both tell of is one arrival; only a duplicate is another
    if (item.verdict !== "duplicate") return;
    known.item.repeats += 1;
    showRepeats(known.row, known.item.repeats);
  }

  function trim() {
    if (shown.length > most) remove(shown.slice(most));
  }

  function remove(entries) {
    const hadFocus = list.contains(document.activeElement);
    for (const { item, row } of entries) {
      byKey.delete(item.key);
      row.remove();
    }
    shown = shown.filter(({ item }) => byKey.has(item.key));
    // whoever works by keyboard stays here instead of beginning at the top of the page
    if (hadFocus && !list.contains(document.activeElement)) list.focus({ preventScroll: true });
  }

  return {
    /** Add rows wherever their time puts them; those that somebody asked for push out none. */
    addAll(items, { isArriving = false, isAskedFor = false } = {}) {
      if (isAskedFor) most += items.length;
      for (const item of items) add(item, isArriving);
      trim();
    },
    /** Remove all rows but those that arrived since an instant. */
    clear(since_ms = Infinity) {
      remove(shown.filter(({ item }) => item.arrived_ms === null || item.arrived_ms < since_ms));
      most = MOST;
    },
    /** Write all rows' times anew. */
    showTimes() {
      for (const { item, row } of shown) showTime(row, item.at_ms);
    },
    has: (item) => byKey.has(item.key),
    isEmpty: () => shown.length === 0,
    items: () => shown.map(({ item }) => item),
    /** Return the time of the newest row, -Infinity where there is none. */
    newest_ms: () => shown[0]?.item.at_ms ?? -Infinity,
    /** Return the time of the oldest row, -Infinity where there is none. */
    oldest_ms: () => shown.at(-1)?.item.at_ms ?? -Infinity,
  };
}

/** The order of the API's answers: by time, then by id. */
function isNewer(one, other) {
  return one.at_ms > other.at_ms || (one.at_ms === other.at_ms && one.key > other.key);
}
