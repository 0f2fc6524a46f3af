// What a typed text means: an event by its title, a visitor by the end of the id that is shown, a user by id or contact.
import { get } from "./api.js";
import { shownItems } from "./events.js";
import { currentFilter, onlyBy, setFilter, sites } from "./filters.js";
import { shortId } from "./format.js";
import { knownNames, loadNames } from "./names.js";
import { showProblem } from "./problem.js";
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
    try {
      const found = await findWho(who.value.trim());
      if (ticket === asked) setFilter(onlyBy(found));
    } catch (problem) {
      if (ticket === asked) showProblem(problem.message);
    }
  });
}

function nameOf(text) {
  if (knownNames().includes(text)) return text;
  return nameOfTitle(text) ?? knownNames().find((name) => isSame(name, text)) ?? text;
}

/**
 * Return whom a text means: an exact id before a part of one. Errors: ApiError.
 * Shape: {visitor_id} or {user_id}; {} for no text; unknown texts are taken for an id.
 */
async function findWho(text) {
  if (!text) return {};
  return findShown(text) ?? (await findById(text)) ?? findShownEnd(text) ?? (await findKnown(text)) ?? { visitor_id: text };
}

function findShown(text) {
  const items = shownItems();
  if (items.some((item) => item.visitor_id === text)) return { visitor_id: text };
  return items.some((item) => item.user_id === text) ? { user_id: text } : null;
}

function findShownEnd(text) {
  const ending = shownItems().find(({ visitor_id }) => visitor_id && isSame(shortId(visitor_id), text));
  return ending ? { visitor_id: ending.visitor_id } : null;
}

async function findById(text) {
  const [person] = await ask({ id: text });
  return person ? idOf(person) : null;
}

/** Ask who has the text in an id, a name or an address. */
async function findKnown(text) {
  const people = await ask({ q: text, limit: MOST });
  const person =
    people.find(({ id }) => isSame(id, text)) ??
    people.find(({ properties }) => CONTACTS.some((name) => isSame(properties[name], text))) ??
    people.find(({ id }) => isSame(shortId(id), text));
  return person ? idOf(person) : null;
}

/** Return people of the sites that are looked at. */
async function ask(question) {
  const { site } = currentFilter();
  const asking = (site ? [site] : sites).map((each) => get("users", { kind: "all", ...question, site: each }));
  return (await Promise.all(asking)).flatMap(({ users }) => users);
}

function idOf(person) {
  return person.user_id ? { user_id: person.user_id } : { visitor_id: person.id };
}

function isSame(one, other) {
  return typeof one === "string" && one.toLowerCase() === other.toLowerCase();
}
