// Suggestions for the filter by name: which events there are.
import { get } from "./api.js";
import { element } from "./element.js";
import { currentFilter } from "./filters.js";
import { titleOf } from "./titles.js";

const MOST = 200;

let known = [];

/** Return the names that were there when they were last asked for. */
export function knownNames() {
  return known;
}

/** Fetch the suggestions anew; without an answer those of before stay. */
export async function loadNames() {
  // with bots: the stream shows their events too
  const query = { site: currentFilter().site, bots: "include" };
  const { names } = await get("events/names", query).catch(() => ({ names: null }));
  if (!names) return;
  known = names.map(({ name }) => name);
  const options = known.slice(0, MOST).map((name) => element("option", { value: name }, titleOf(name)));
  document.getElementById("names").replaceChildren(...options);
}
