// One card of counts: a value in each row, a bar behind it, events and visitors beside it.
import { element } from "./element.js";
import { setFilter } from "./filters.js";
import { formatNumber } from "./format.js";
import { titleOf } from "./titles.js";

const WORDS = {
  device_type: { pc: "Computer", mobile: "Phone", tablet: "Tablet" },
  source: { page: "Page", server: "Server", webhook: "Webhook", import: "Import" },
};

/** Return an empty card. */
export function cardOf(title) {
  return element(
    "section",
    { class: "card" },
    element(
      "table",
      {},
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("th", { scope: "col" }, title),
          element("th", { scope: "col" }, "Events"),
          element("th", { scope: "col" }, "Visitors"),
        ),
      ),
      element("tbody", {}),
    ),
  );
}

/** Put rows into a card. Shape: rows of the API, largest first. */
export function fillCard(card, dimension, rows) {
  if (rows.length === 0) return emptyCard(card, "Nothing yet");
  const most = Math.max(1, ...rows.map((row) => row.events));
  const focused = card.contains(document.activeElement) ? document.activeElement.title : null;
  card.querySelector("tbody").replaceChildren(...rows.map((row) => rowOf(dimension, row, row.events / most)));
  if (focused !== null) focusAgain(card, focused);
}

/** Give the focus back to the button that took the place of the one that had it. */
function focusAgain(card, title) {
  const buttons = [...card.querySelectorAll("button")];
  (buttons.find((button) => button.title === title) ?? buttons[0])?.focus({ preventScroll: true });
}

/** Leave no row in a card, and say why. */
export function emptyCard(card, reason) {
  const row = element("tr", {}, element("td", { colspan: "3", class: "none" }, reason));
  card.querySelector("tbody").replaceChildren(row);
}

function rowOf(dimension, row, share) {
  const bar = element("i", { class: "bar", "aria-hidden": "true" });
  bar.style.inlineSize = `${(share * 100).toFixed(2)}%`;
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, bar, labelOf(dimension, row[dimension])),
    element("td", {}, formatNumber(row.events)),
    element("td", {}, formatNumber(row.visitors)),
  );
}

function labelOf(dimension, value) {
  if (value === null || value === "") return element("span", { class: "none" }, "not known");
  const text = dimension === "name" ? titleOf(value) : (WORDS[dimension]?.[value] ?? value);
  if (dimension !== "name") return element("bdi", { title: value }, text);
  const filter = () => setFilter({ name: value });
  return element("button", { type: "button", title: `Show only ${value}`, onclick: filter }, element("bdi", {}, text));
}
