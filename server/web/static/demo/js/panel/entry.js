// One event in the panel: its name, time and verdict, opening to its JSON.
import { element } from "../element.js";

const VERDICTS = {
  waiting: "waiting",
  accepted: "accepted",
  duplicate: "duplicate",
  known: "stored",
  rejected: "rejected",
  dropped: "dropped",
};

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Return the entry as a list item. Everything in it is text. */
export function entryElement(entry, isOpen) {
  const details = element("details", { "data-id": entry.id, open: isOpen }, summary(entry));
  for (const text of remarks(entry)) details.append(element("p", { class: "remark" }, text));
  details.append(element("pre", { tabindex: "0" }, JSON.stringify(entry.event, null, 2)));
  return element("li", { "data-verdict": entry.verdict }, details);
}

function summary(entry) {
  const isRefused = entry.verdict === "rejected" || entry.verdict === "dropped";
  return element(
    "summary",
    {},
    element("span", { class: "event-name" }, entry.event.name),
    element("span", { class: "verdict" }, VERDICTS[entry.verdict] ?? entry.verdict),
    element("time", {}, clock.format(entry.at_ms)),
    element("span", { class: "hint" }, isRefused ? String(entry.code ?? "") : glimpse(entry.event)),
  );
}

/** Return what tells two events of one name apart, in a few words. */
function glimpse({ name, props = {}, page = {} }) {
  if (name === "$page_view" || name === "$session_start") return path(page.url ?? props.$url);
  const telling = props.$name ?? props.$field ?? props.$form ?? props.query ?? props.$order_id_human ?? props.$utm_source;
  return Array.isArray(telling) ? telling.join(", ") : String(telling ?? "");
}

function path(url) {
  try {
    const { pathname, search } = new URL(url);
    return pathname + search;
  } catch {
    return "";
  }
}

function remarks(entry) {
  const said = entry.message ? [entry.message] : [];
  if (entry.verdict === "duplicate") said.push("Sent twice, to be sure; the server keeps it once.");
  return [...said, ...entry.warnings.map((warning) => `${warning.code}: ${warning.message}`)];
}
