// One row of the stream. Its title opens it; its name and its visitor filter.
import { detailOf } from "./detail.js";
import { element } from "./element.js";
import { isMixed, onlyBy, setFilter } from "./filters.js";
import { formatInstant, formatTime, shortId } from "./format.js";
import { agentOf, gistOf } from "./gist.js";
import { hasTitle, titleOf } from "./titles.js";

/** Return the list item of an item. */
export function rowOf(item) {
  const row = element("li", { class: "event", "data-verdict": item.verdict });
  const open = element(
    "button",
    { type: "button", class: "open", "aria-expanded": "false", onclick: () => toggle(row, open, item) },
    element("bdi", {}, item.name ? titleOf(item.name) : "Unreadable"),
  );
  const line = element(
    "div",
    { class: "line", onclick: (event) => isPlain(event) && toggle(row, open, item) },
    element("time", { datetime: isoOf(item.at_ms), title: formatInstant(item.at_ms) }, formatTime(item.at_ms)),
    element("span", { class: "title" }, open, ...badges(item)),
    isMixed() && item.site && siteOf(item),
    nameOf(item),
    ...(item.event ? eventCells(item.event) : refusalCells(item.refusal)),
  );
  row.append(line);
  return row;
}

/** Write a row's time anew: once its day is over it names the day. */
export function showTime(row, at_ms) {
  const text = formatTime(at_ms);
  const time = row.querySelector("time");
  if (time.textContent !== text) time.textContent = text;
}

/** Say in a row that its event arrived once more. */
export function showRepeats(row, repeats) {
  row.querySelector(".badge.repeats")?.remove();
  const text = repeats === 1 ? "arrived twice" : `arrived ${repeats + 1} times`;
  row.querySelector(".title").append(element("span", { class: "badge repeats" }, text));
}

function toggle(row, open, item) {
  const detail = row.querySelector(".detail");
  if (detail) detail.remove();
  else row.append(detailOf(item));
  row.classList.toggle("opened", !detail);
  open.setAttribute("aria-expanded", String(!detail));
}

/** Return whether a click was on the row itself and not on something in it, nor the end of a selection. */
function isPlain(event) {
  return !event.target.closest("button, a") && String(getSelection()) === "";
}

function badges(item) {
  const found = [];
  if (item.verdict !== "accepted") found.push([item.verdict, item.verdict]);
  if (item.warnings.length > 0) found.push(["corrected", "corrected"]);
  if (item.event?.bot) found.push(["bot", "bot"]);
  if (item.event && item.event.source !== "page") found.push(["source", item.event.source]);
  return found.map(([kind, text]) => element("span", { class: `badge ${kind}` }, text));
}

function siteOf({ site }) {
  return element(
    "button",
    { type: "button", class: "site", title: `Show only the site ${site}`, onclick: () => setFilter({ site }) },
    element("bdi", {}, site),
  );
}

function nameOf(item) {
  if (!item.name) return element("span", { class: "name" }, "no name");
  const shown = hasTitle(item.name) || item.name.startsWith("$") ? item.name : "own event";
  return element(
    "button",
    {
      type: "button",
      class: shown === item.name ? "name mono" : "name",
      title: `Show only ${item.name}`,
      onclick: () => setFilter({ name: item.name }),
    },
    element("bdi", {}, shown),
  );
}

function eventCells(event) {
  return [
    element("span", { class: "gist" }, element("bdi", {}, gistOf(event))),
    element("span", { class: "agent" }, element("bdi", {}, agentOf(event))),
    event.visitor_id ? visitorOf(event) : element("span", { class: "visitor none" }, "no visitor"),
  ];
}

function refusalCells(refusal) {
  return [
    element("span", { class: "gist" }, element("bdi", {}, refusal.message)),
    element("span", { class: "agent mono" }, refusal.code),
  ];
}

function visitorOf({ visitor_id, user_id }) {
  const dot = element("i", {});
  dot.style.setProperty("--hue", hueOf(visitor_id));
  return element(
    "button",
    {
      type: "button",
      class: "visitor",
      title: user_id ? `Show only user ${user_id}` : `Show only visitor ${visitor_id}`,
      onclick: () => setFilter(onlyBy(user_id ? { user_id } : { visitor_id })),
    },
    dot,
    element("bdi", { class: user_id ? "" : "mono" }, user_id ?? shortId(visitor_id)),
  );
}

/** Return a colour angle that is the same for one visitor everywhere. */
function hueOf(id) {
  let hash = 7;
  for (const character of id) hash = (hash * 31 + character.codePointAt(0)) % 3600;
  return String(hash / 10);
}

function isoOf(at_ms) {
  return Number.isNaN(at_ms) ? null : new Date(at_ms).toISOString();
}
