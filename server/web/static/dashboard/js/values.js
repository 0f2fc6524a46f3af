// A value of an event as DOM: nothing as a dash, no text as quotes, http addresses as links, everything else as text.
import { element } from "./element.js";

/** Return the value's node. */
export function valueNode(value) {
  if (value === null || value === undefined) return element("span", { class: "none" }, "–");
  if (value === "") return element("span", { class: "none" }, '""');
  if (typeof value === "object") return element("pre", {}, JSON.stringify(value, null, 2));
  const text = String(value);
  if (!isWebAddress(text)) return element("bdi", {}, text);
  return element("a", { href: text, target: "_blank", rel: "noopener noreferrer" }, element("bdi", {}, text));
}

/** Only http and https: `javascript:` and `data:` addresses in an event must never become links. */
function isWebAddress(text) {
  if (!/^https?:\/\//i.test(text)) return false;
  try {
    return ["http:", "https:"].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}
