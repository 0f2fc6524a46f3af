// The stream's page: history first, then what arrives, under the filter of the address.
import { currentFilter, isFiltered, matches, onFilterChange } from "./filters.js";
import { loadPage } from "./history.js";
import { createInbox } from "./inbox.js";
import { itemOfMessage } from "./items.js";
import { SETTLE_MS, watchLive } from "./live.js";
import { createStream } from "./stream.js";

const STATES = { connecting: "Connecting", live: "Live", lost: "Reconnecting", paused: "Paused" };

const byId = (id) => document.getElementById(id);
const stream = createStream(byId("events"));
let next = null;
let isLoaded = false;
let isBehind = false;
let connection = "connecting";

const inbox = createInbox({
  deliver(items) {
    stream.addAll(
      items.filter((item) => matches(item, currentFilter())),
      { isArriving: isLoaded },
    );
    showEmptiness();
  },
  overflow: () => reload(),
  onWaiting(count, isOverflown) {
    byId("pause").textContent = `Resume (${count}${isOverflown ? "+" : ""} new)`;
  },
});

/** Start the stream. onArrival() is called for each event that arrives, and when some may have been missed. */
export function startEvents(onArrival) {
  byId("pause").addEventListener("click", togglePause);
  byId("older").addEventListener("click", () => load(next));
  onFilterChange(restart);
  load(null);
  watchLive({
    onMessage(type, data) {
      inbox.put(itemOfMessage(type, data));
      onArrival();
    },
    onOpen() {
      connection = "live";
      showState();
      setTimeout(reload, SETTLE_MS);
      onArrival();
    },
    onLost() {
      connection = "lost";
      showState();
    },
  });
}

function restart() {
  stream.clear();
  next = null;
  isLoaded = false;
  showEmptiness();
  load(null);
}

/** Fetch the newest page once more and add what is missing; after a pause, if there is one. */
function reload() {
  isBehind = inbox.isPaused();
  if (!isBehind) load(null);
}

async function load(cursor) {
  const filter = currentFilter();
  try {
    const page = await loadPage(filter, cursor);
    // another filter was chosen meanwhile: this answer is to a question nobody asks any more
    if (JSON.stringify(filter) !== JSON.stringify(currentFilter())) return;
    show(page, cursor);
    showProblem("");
  } catch (problem) {
    showProblem(problem.message);
  }
  showEmptiness();
}

function show(page, cursor) {
  // a newest page that knows none of the rows leaves a gap before them: start anew from it
  const hasGap = !cursor && isLoaded && page.next !== null && !page.items.some(stream.has);
  if (hasGap) stream.clear();
  if (cursor || hasGap || !isLoaded) next = page.next;
  stream.addAll(page.items);
  isLoaded = true;
}

function togglePause() {
  const isPaused = !inbox.isPaused();
  byId("pause").textContent = isPaused ? "Resume" : "Pause";
  byId("pause").setAttribute("aria-pressed", String(isPaused));
  inbox.setPaused(isPaused);
  if (isBehind) reload();
  showState();
}

function showEmptiness() {
  const isEmpty = isLoaded && stream.isEmpty() && next === null;
  byId("loading").hidden = isLoaded || !byId("problem").hidden;
  byId("welcome").hidden = !isEmpty || isFiltered();
  byId("no-match").hidden = !isEmpty || !isFiltered();
  byId("older").hidden = next === null || stream.isFull();
}

function showState() {
  const state = connection === "live" && inbox.isPaused() ? "paused" : connection;
  byId("state").dataset.state = state;
  byId("state").firstElementChild.textContent = STATES[state];
}

function showProblem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = text === "";
}
