// What happened before: accepted and rejected events merged, newest first, each once, none left out.
import { get } from "./api.js";
import { matches, refusalSite } from "./filters.js";
import { itemOfEvent, itemOfRefusal } from "./items.js";

const PAGE = 50;
const MOST_QUESTIONS = 20; // for one page: rejected events are filtered here, and those wanted may be far apart

/**
 * Return the pages of a filter. Shape: before_ms leaves out what is newer; next() is not called again while it works,
 * and after an error goes on where it was; reached_ms() is the time of the oldest row that it gave.
 */
export function createHistory(filter, before_ms = Infinity) {
  const until = Number.isFinite(before_ms) ? new Date(before_ms + 1).toISOString() : "";
  const sources = [];
  if (filter.show !== "rejected") sources.push(accepted(filter, until));
  if (filter.show !== "accepted") sources.push(rejected(filter, until));
  let page = [];
  let reached_ms = Infinity;

  async function fill() {
    for (let questions = 0; page.length < PAGE; ) {
      const newest = newestOf(sources);
      // what has not been asked for yet may be newer than what is there
      const behind = sources.filter((source) => source.isHungry(newest?.items[0].at_ms ?? -Infinity));
      if (behind.length === 0 && !newest) return;
      if (behind.length === 0) page.push(newest.items.shift());
      else if (questions++ < MOST_QUESTIONS) await Promise.all(behind.map((source) => source.ask()));
      else return;
    }
  }

  return {
    async next() {
      await fill();
      const items = page;
      page = [];
      reached_ms = items.at(-1)?.at_ms ?? reached_ms;
      return items;
    },
    hasMore: () => sources.some((source) => source.items.length > 0 || !source.isDone()),
    reached_ms: () => reached_ms,
  };
}

function accepted({ site, name, visitor_id, user_id }, until) {
  return createSource(async (cursor) => {
    const query = { limit: PAGE, site, name, visitor_id, user_id, until, cursor };
    const { events, next } = await get("events", query);
    return { items: events.map((event) => itemOfEvent(event)), next };
  });
}

function rejected(filter, until) {
  return createSource(async (cursor) => {
    const { rejected, next } = await get("rejected", { limit: PAGE, site: refusalSite(filter), until, cursor });
    return { items: rejected.map(itemOfRefusal), next };
  }, (item) => matches(item, filter));
}

/** Return one of the two lists. Shape: items are those that were asked for and not yet taken, newest first. */
function createSource(askPage, isWanted = () => true) {
  const items = [];
  let cursor = null;
  let isDone = false;
  let asked_ms = Infinity;
  return {
    items,
    isDone: () => isDone,
    isHungry: (newest_ms) => items.length === 0 && !isDone && asked_ms >= newest_ms,
    async ask() {
      const page = await askPage(cursor);
      items.push(...page.items.filter(isWanted));
      asked_ms = page.items.at(-1)?.at_ms ?? asked_ms;
      cursor = page.next;
      isDone = cursor === null;
    },
  };
}

function newestOf(sources) {
  const filled = sources.filter((source) => source.items.length > 0);
  return filled.sort((one, other) => other.items[0].at_ms - one.items[0].at_ms)[0];
}
