// Events of before: pages of the API's answers, joined with the rejected ones of the same time.
import { get } from "./api.js";
import { itemOfEvent, itemOfRefusal } from "./items.js";
import { matches } from "./filters.js";

const PAGE = 50;
const REJECTED_PAGE = 20;

/** Return one page of history. Shape: {items, next}; next is the cursor of the page before it in time, or null. */
export async function loadPage(filter, cursor) {
  if (filter.show === "rejected") return loadRejected(filter, cursor);
  const { name, visitor_id } = filter;
  const [{ events, next }, refused] = await Promise.all([
    get("events", { limit: PAGE, name, visitor_id, cursor }),
    // with the first page only: the filter for rejected ones has pages of its own
    cursor || filter.show ? { items: [] } : loadRejected(filter, null),
  ]);
  const items = events.map((event) => itemOfEvent(event));
  const oldest_ms = next ? Math.min(...items.map((item) => item.at_ms)) : -Infinity;
  return { items: [...items, ...refused.items.filter((item) => item.at_ms >= oldest_ms)], next };
}

async function loadRejected(filter, cursor) {
  const { rejected, next } = await get("rejected", { limit: REJECTED_PAGE, cursor });
  return { items: rejected.map(itemOfRefusal).filter((item) => matches(item, filter)), next };
}
