// English titles of the system events, from the catalogue.
import { get } from "./api.js";

let titles = new Map();

export async function loadTitles() {
  const { events } = await get("catalogue");
  titles = new Map(events.map((event) => [event.name, event.title.en]));
}

/** Return the title of a system event, or the name itself. */
export function titleOf(name) {
  return titles.get(name) ?? name;
}

/** Return the system event that has a title, whatever the case of its letters; null when none has. */
export function nameOfTitle(text) {
  const wanted = text.toLowerCase();
  return [...titles].find(([, title]) => title.toLowerCase() === wanted)?.[0] ?? null;
}

export function hasTitle(name) {
  return titles.has(name);
}
