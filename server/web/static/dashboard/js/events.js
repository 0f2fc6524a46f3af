// The stream's page: history first, then what arrives, under the filter of the address.
import { currentFilter, isFiltered, matches, onFilterChange } from "./filters.js";
import { createHistory } from "./history.js";
import { createInbox } from "./inbox.js";
import { itemOfMessage } from "./items.js";
import { SETTLE_MS, watchLive } from "./live.js";
import { showProblem } from "./problem.js";
import { createStream } from "./stream.js";

const STATES = { connecting: "Connecting", live: "Live", lost: "Reconnecting", paused: "Paused" };

const byId = (id) => document.getElementById(id);
const stream = createStream(byId("events"));
let past = null; // what "Show older events" asks
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
  byId("older").addEventListener("click", loadOlder);
  onFilterChange(restart);
  loadNewest();
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
  past = null;
  isLoaded = false;
  showEmptiness();
  loadNewest();
}

/** Return the rows' items, newest first. */
export function shownItems() {
  return stream.items();
}

/** Fetch the newest page once more and add what is missing; after a pause, if there is one. */
function reload() {
  isBehind = inbox.isPaused();
  if (!isBehind) loadNewest();
}

function loadNewest() {
  return load(createHistory(currentFilter()));
}

async function loadOlder() {
  if (hasLostRows()) past = createHistory(currentFilter(), stream.oldest_ms());
  byId("older").disabled = true;
  await load(past);
  byId("older").disabled = false;
}

/** What arrives pushes out the oldest rows: then the past begins sooner than where it was left. */
function hasLostRows() {
  return past !== null && stream.oldest_ms() > past.reached_ms();
}

async function load(pages) {
  const filter = JSON.stringify(currentFilter());
  try {
    const items = await pages.next();
    // another filter was chosen meanwhile: this answer is to a question nobody asks any more
    if (filter !== JSON.stringify(currentFilter())) return;
    show(items, pages);
    showProblem("");
  } catch (problem) {
    showProblem(problem.message);
  }
  showEmptiness();
}

function show(items, pages) {
  const isOlder = pages === past;
  // a newest page that knows none of the rows leaves a gap before them: start anew from it
  const hasGap = !isOlder && isLoaded && pages.hasMore() && !items.some(stream.has);
  if (hasGap) stream.clear();
  if (hasGap || !isLoaded) past = pages;
  stream.addAll(items, { isAskedFor: isOlder });
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
  const isMore = past !== null && (past.hasMore() || hasLostRows());
  const isEmpty = isLoaded && stream.isEmpty() && !isMore;
  byId("loading").hidden = isLoaded || !byId("problem").hidden;
  byId("welcome").hidden = !isEmpty || isFiltered();
  byId("no-match").hidden = !isEmpty || !isFiltered();
  byId("older").hidden = !isMore;
}

function showState() {
  const state = connection === "live" && inbox.isPaused() ? "paused" : connection;
  byId("state").dataset.state = state;
  byId("state").firstElementChild.textContent = STATES[state];
}
