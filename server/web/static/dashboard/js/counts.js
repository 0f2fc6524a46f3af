// Counts of a site and a period: six cards, asked for again when something has arrived, and now and then without.
import { get } from "./api.js";
import { cardOf, emptyCard, fillCard } from "./card.js";
import { currentFilter, onFilterChange } from "./filters.js";
import { formatNumber } from "./format.js";
import { SETTLE_MS } from "./live.js";

const DAY_MS = 24 * 3600 * 1000;
const REFRESH_MS = 10_000;
const LONG_REFRESH_MS = 60_000; // of more than a day: a question about a month reads a month
const QUIET_REFRESH_MS = 300_000; // without arrivals: what is too old for the period leaves it
const ROWS = 8;

const CARDS = {
  name: "Event",
  traffic_source: "Source of sessions",
  browser: "Browser",
  os: "System",
  device_type: "Device",
  source: "Sender",
};

const bots = document.getElementById("bots");
const period = document.getElementById("period");
let arrived_ms = Date.now();
let asked_ms = 0;
let asked = 0;
let shown = ""; // the choice whose counts are there

/** Say that something has arrived, so that the counts are asked for at the next occasion. */
export function markStale() {
  arrived_ms = Date.now();
}

export function startCounts() {
  const cards = Object.entries(CARDS).map(([dimension, title]) => [dimension, cardOf(title)]);
  document.getElementById("cards").append(...cards.map(([, card]) => card));
  const byDimension = new Map(cards);
  const refresh = () => {
    asked_ms = Date.now();
    showAll(byDimension);
  };
  const choose = () => {
    // counts of something else must not stand under the new choice
    if (choice() !== shown) showNothing(byDimension, "…");
    refresh();
  };
  readChoices();
  for (const control of [bots, period]) {
    control.addEventListener("change", () => {
      keepChoices();
      choose();
    });
  }
  onFilterChange(() => {
    readChoices();
    choose();
  });
  setInterval(() => isStale() && !document.hidden && refresh(), REFRESH_MS);
  refresh();
}

/** What has only just arrived may not yet have been counted. */
function isStale() {
  const isDue = period.value === "1" || Date.now() >= asked_ms + LONG_REFRESH_MS;
  return (isDue && asked_ms < arrived_ms + SETTLE_MS) || Date.now() >= asked_ms + QUIET_REFRESH_MS;
}

/** Return what is counted, as text. */
function choice() {
  return JSON.stringify([currentFilter().site, period.value, bots.checked]);
}

async function showAll(cards) {
  const ticket = ++asked;
  const chosen = choice();
  const since = new Date(Date.now() - Number(period.value) * DAY_MS).toISOString();
  const { site } = currentFilter();
  try {
    const answer = await get("overview", { site, since, limit: ROWS, bots: bots.checked ? "include" : "" });
    if (ticket !== asked) return;
    showTotals(answer.totals);
    showBots(answer.bots.events);
    for (const [dimension, card] of cards) fillCard(card, dimension, answer.cards[dimension]);
    shown = chosen;
  } catch {
    if (ticket !== asked) return;
    asked_ms = 0; // the stream says what is wrong; the counts try again
    if (shown !== chosen) showNothing(cards, "No answer yet");
  }
}

/** Show no counts and say why. */
function showNothing(cards, reason) {
  shown = "";
  for (const total of document.querySelectorAll("[data-total]")) total.textContent = "–";
  showBots(0);
  for (const card of cards.values()) emptyCard(card, reason);
}

function showTotals(totals) {
  for (const [metric, count] of Object.entries(totals)) {
    document.querySelector(`[data-total="${metric}"]`).textContent = formatNumber(count);
  }
}

/** Say how many events are left out or in, so that nobody takes a quiet day for a broken one. */
function showBots(events) {
  document.getElementById("bots-events").textContent = events ? `with bots (${formatNumber(events)})` : "with bots";
}

/** Take the choices from the address. */
function readChoices() {
  const query = new URL(location.href).searchParams;
  bots.checked = query.get("bots") === "include";
  const days = query.get("days");
  period.value = [...period.options].some(({ value }) => value === days) ? days : "1";
}

function keepChoices() {
  const url = new URL(location.href);
  if (bots.checked) url.searchParams.set("bots", "include");
  else url.searchParams.delete("bots");
  if (period.value === "1") url.searchParams.delete("days");
  else url.searchParams.set("days", period.value);
  history.replaceState(null, "", url);
}
