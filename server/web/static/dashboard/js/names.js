// Suggestions for the filter by name: which events there are.
import { get } from "./api.js";
import { element } from "./element.js";
import { titleOf } from "./titles.js";

const MOST = 200;

/** Fetch the suggestions anew; without an answer those of before stay. */
export async function loadNames() {
  const { names } = await get("events/names").catch(() => ({ names: null }));
  if (!names) return;
  const options = names.slice(0, MOST).map(({ name }) => element("option", { value: name }, titleOf(name)));
  document.getElementById("names").replaceChildren(...options);
}
