// What a typed text means: an event by its title, a visitor by the end of the id that is shown, a user by id or contact.
import { get } from "./api.js";
import { shownItems } from "./events.js";
import { currentFilter, onlyBy, setFilter, sites } from "./filters.js";
import { shortId } from "./format.js";
import { knownNames, loadNames } from "./names.js";
import { nameOfTitle } from "./titles.js";

const MOST = 100;
const CONTACTS = ["$name", "$email", "$phone"];

let asked = 0;

/** Let the two fields understand what the page shows. */
export function startFinding(form) {
  const { name, who } = form.elements;
  name.addEventListener("focus", loadNames);
  name.addEventListener("change", () => setFilter({ name: nameOf(name.value.trim()) }));
  who.addEventListener("change", async () => {
    const ticket = ++asked;
    const found = await findWho(who.value.trim());
    if (ticket === asked) setFilter(onlyBy(found));
  });
}

function nameOf(text) {
  if (knownNames().includes(text)) return text;
  return nameOfTitle(text) ?? knownNames().find((name) => isSame(name, text)) ?? text;
}

/** Return whom a text means. Shape: {visitor_id} or {user_id}; {} for no text; unknown texts are taken for an id. */
async function findWho(text) {
  if (!text) return {};
  return findShown(text) ?? (await findKnown(text).catch(() => null)) ?? { visitor_id: text };
}

function findShown(text) {
  const items = shownItems();
  if (items.some((item) => item.visitor_id === text)) return { visitor_id: text };
  if (items.some((item) => item.user_id === text)) return { user_id: text };
  const ending = items.find(({ visitor_id }) => visitor_id && isSame(shortId(visitor_id), text));
  return ending && { visitor_id: ending.visitor_id };
}

/** Ask who has the text in an id, a name or an address. */
async function findKnown(text) {
  const { site } = currentFilter();
  const question = { kind: "all", q: text, limit: MOST };
  const answers = await Promise.all((site ? [site] : sites).map((each) => get("users", { ...question, site: each })));
  const person = answers.flatMap(({ users }) => users).find((user) => isMeant(user, text));
  if (!person) return null;
  return person.user_id ? { user_id: person.user_id } : { visitor_id: person.id };
}

function isMeant({ id, properties }, text) {
  const names = [id, shortId(id), ...CONTACTS.map((name) => properties[name])];
  return names.some((name) => typeof name === "string" && isSame(name, text));
}

function isSame(one, other) {
  return one.toLowerCase() === other.toLowerCase();
}
