// The stream's page: history first, then what arrives, under the filter of the address.
import { currentFilter, isFiltered, matches, onFilterChange } from "./filters.js";
import { createHistory } from "./history.js";
import { createInbox } from "./inbox.js";
import { itemOfMessage } from "./items.js";
import { RETRY_MS, SETTLE_MS, watchLive } from "./live.js";
import { showProblem } from "./problem.js";
import { createStream } from "./stream.js";

const TIMES_MS = 60_000; // so often rows find out that their day is over
const STATES = { connecting: "Connecting", live: "Live", lost: "Reconnecting", paused: "Paused" };

const byId = (id) => document.getElementById(id);
const stream = createStream(byId("events"));
let past = null; // what "Show older events" asks
let isLoaded = false;
let isBehind = false;
let connection = "connecting";
let seen_ms = Infinity; // while rows may be missing: the time of the newest one before them
let losses = 0;
let settling = 0;
let asked = 0;
let arrived_ms = -Infinity;
let refreshing = 0;

const inbox = createInbox({
  deliver(items) {
    stream.addAll(wanted(items), { isArriving: isLoaded });
    showEmptiness();
  },
  overflow: startAnew,
  onWaiting(items, isOverflown) {
    const count = wanted(items).length;
    const text = `Resume (${count}${isOverflown ? "+" : ""} new)`;
    byId("pause").textContent = count > 0 || isOverflown ? text : "Resume";
  },
});

/** Start the stream. onArrival() is called for each event that arrives, and when some may have been missed. */
export function startEvents(onArrival) {
  byId("pause").addEventListener("click", togglePause);
  byId("older").addEventListener("click", loadOlder);
  onFilterChange(restart);
  setInterval(stream.showTimes, TIMES_MS);
  loadNewest();
  watchLive({
    onMessage(type, data) {
      arrived_ms = Date.now();
      if (isOfUser()) refreshSoon();
      else inbox.put(itemOfMessage(type, data));
      onArrival();
    },
    onOpen() {
      connection = "live";
      showState();
      noteLoss(stream.newest_ms());
      reloadSoon();
      onArrival();
    },
    onLost() {
      connection = "lost";
      noteLoss(stream.newest_ms());
      showState();
    },
    onMissed() {
      startAnew();
      onArrival();
    },
  });
}

function restart() {
  stream.clear();
  past = null;
  isLoaded = false;
  showProblem("");
  showEmptiness();
  loadNewest();
  // what has just arrived may not be visible yet
  if (Date.now() < arrived_ms + SETTLE_MS) startAnew();
}

/** Return the rows' items, newest first. */
export function shownItems() {
  return stream.items();
}

/** Return those of arriving items that the filter leaves. */
function wanted(items) {
  return isOfUser() ? [] : items.filter((item) => matches(item, currentFilter()));
}

/** Return whether one user's rows are shown. What a page sends does not name its user: the server must be asked. */
function isOfUser() {
  return currentFilter().user_id !== "";
}

/** Fetch the newest page of a user when what has arrived is visible in queries, one question at a time. */
function refreshSoon() {
  refreshing ||= setTimeout(async () => {
    const asked_ms = Date.now();
    seen_ms = Math.min(seen_ms, stream.newest_ms());
    if (isOfUser()) await reload();
    refreshing = 0;
    if (isOfUser() && arrived_ms > asked_ms - SETTLE_MS) refreshSoon();
  }, SETTLE_MS);
}

/** Note that rows may be missing which are newer than those until newest_ms. */
function noteLoss(newest_ms) {
  seen_ms = Math.min(seen_ms, newest_ms);
  losses += 1;
}

/** Have the newest page take the place of all rows, of which too many are missing. */
function startAnew() {
  noteLoss(-Infinity);
  reloadSoon();
}

/** Reload when what was acknowledged until now is visible in queries. */
function reloadSoon() {
  clearTimeout(settling);
  settling = setTimeout(() => {
    settling = 0;
    reload();
  }, SETTLE_MS);
}

/** Fetch the newest page once more and add what is missing; after a pause, if there is one. */
function reload() {
  isBehind = inbox.isPaused();
  // while nothing arrives, more goes missing: the connection's return leads here again
  if (!isBehind && !settling && connection === "live") return loadNewest({ isSettled: true });
}

/** Shape: isSettled where all that was missed until now must be in the page. */
async function loadNewest({ isSettled = false } = {}) {
  const ticket = ++asked;
  const asked_ms = Date.now();
  const known = losses;
  const isAnswered = await load(createHistory(currentFilter()), (items, pages) => {
    showNewest(items, pages, asked_ms);
    if (isSettled && known === losses) seen_ms = Infinity;
  });
  if (isAnswered) return;
  setTimeout(() => {
    if (ticket !== asked) return; // it was asked anew meanwhile
    if (isLoaded) reload();
    else loadNewest();
  }, RETRY_MS);
}

async function loadOlder() {
  if (hasLostRows()) past = createHistory(currentFilter(), stream.oldest_ms());
  byId("older").disabled = true;
  await load(past, (items, pages) => {
    // meanwhile a newer page may have taken the place of all rows: these would not follow it
    if (pages === past) stream.addAll(items, { isAskedFor: true });
  });
  byId("older").disabled = false;
}

/** What arrives pushes out the oldest rows: then the past begins sooner than where it was left. */
function hasLostRows() {
  return past !== null && stream.oldest_ms() > past.reached_ms();
}

/** Ask for a page and show it; return false where that failed. */
async function load(pages, show) {
  const filter = JSON.stringify(currentFilter());
  // another filter was chosen meanwhile: this is a question that nobody asks any more
  const isOld = () => filter !== JSON.stringify(currentFilter());
  let isAnswered = true;
  try {
    const items = await pages.next();
    if (isOld()) return true;
    show(items, pages);
    showProblem("");
  } catch (problem) {
    if (isOld()) return true;
    showProblem(problem.message);
    isAnswered = false;
  }
  showEmptiness();
  return isAnswered;
}

function showNewest(items, pages, asked_ms) {
  // a page that does not reach back to what was there before leaves a gap: start anew from it
  const hasGap = isLoaded && pages.hasMore() && items.length > 0 && isAfterSeen(items.at(-1));
  // what has just arrived may not have been visible yet
  if (hasGap) stream.clear(asked_ms - SETTLE_MS);
  if (hasGap || !isLoaded) past = pages;
  // of a first page on, nothing before its newest row is missing
  if (!isLoaded && seen_ms !== Infinity) seen_ms = items[0]?.at_ms ?? -Infinity;
  stream.addAll(items);
  isLoaded = true;
}

function isAfterSeen(item) {
  return item.at_ms > seen_ms || (item.at_ms === seen_ms && !stream.has(item));
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
