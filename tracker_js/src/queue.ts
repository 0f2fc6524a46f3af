/**
 * The events that no answer has settled yet, shared by all tabs of the site.
 *
 * Contract
 *   put      keeps an event before it returns; on disk where storage is allowed, else in this page's memory.
 *   take     returns the oldest events of one visitor that fit, in the order of their ids; takes nothing out.
 *   remove   is the only way out, but for the limits below and for text that is no event.
 *   Limit:   MAX_BYTES (names and values, UTF-8) for all tabs together; beyond, the oldest go, each reported with
 *            the reason `queue_full`. An event takes more than 263 bytes, so there are never more than 1,000.
 *   Age:     what is older than MAX_AGE_MS goes too, with the reason `too_old`.
 *   Tabs:    each event has a key of its own, "queue.<id>", so two tabs never rewrite each other's events and no
 *            lock is needed to put or to remove. Counting everything at each put would be slow, so a tab that has
 *            counted puts up to an eighth of the room that is left before it counts again.
 *   Order:   ids are UUIDs of version 7, so their order as text is the order of their making.
 *   Shape:   a value is [visitor, event]: the beacon names its visitor once.
 */
import { prefix } from "./options";
import { erase, findKeys, loadList, loadText, parseList, save } from "./storage";
import { tellDrop } from "./topics";
import type { TrackedEvent } from "./types";
import type { Visitor } from "./visitor";

const MAX_BYTES = 262144;
/** So many tabs may fill the queue at once without looking, and still keep within MAX_BYTES. */
const MAX_TABS = 8;
/** A beacon may have stored what waits here; the server knows ids for 35 days, this is a few hours less. */
const MAX_AGE_MS = 3e9;
const KEY = "queue.";
const REFUSED_KEY = "refused";

export type Queued = [visitor: Visitor, event: TrackedEvent];

/** What this tab may still put before it must look at what the others have put. */
let granted_bytes = 0;

export const countBytes = (text: string): number => new TextEncoder().encode(text).length;

type Row = [id: string, text: string];

/** Looks everything up, oldest first. */
const list = (): Row[] =>
  // another tab may have removed it just now
  findKeys(KEY).map((id) => [id, `${loadText(KEY + id)}`]);

/** Returns all that is stored of an event. */
const asStored = ([id, text]: Row): string => prefix + KEY + id + text;

export const isQueued = (id: string): boolean => !!loadText(KEY + id);

export const countQueue = (): number => findKeys(KEY).length;

export const removeEvent = (id: string): void => erase(KEY + id);

/** Removes an event and says why, unless another tab was faster. */
export const dropEvent = (id: string, reason: string): void => {
  const [, event] = loadList(KEY + id) as Queued;
  removeEvent(id);
  if (!event) return;
  // the tab that called `auth` and waits may be another one
  if (event.name === "$auth") save(REFUSED_KEY, [id, reason]);
  tellDrop(event, reason);
};

/** Returns why the last `$auth` that was refused was refused, if it is this one. */
export const readAuthRefusal = (id: string): string => {
  const [refused_id, reason] = loadList(REFUSED_KEY) as string[];
  return refused_id === id ? reason! : "";
};

export const clearQueue = (reason: string): void => findKeys(KEY).forEach((id) => dropEvent(id, reason));

/** Errors: throws when the event is no JSON, and keeps nothing then. */
export const putEvent = (visitor: Visitor, event: TrackedEvent): void => {
  const { id } = event;
  granted_bytes -= countBytes(asStored([id, save(KEY + id, [visitor, event])]));
  if (granted_bytes >= 0) return;
  const rows = list();
  // at once, because counting hundreds of events one by one is what takes long
  let room_bytes = MAX_BYTES - countBytes(rows.map(asStored).join(""));
  for (const row of rows) {
    if (room_bytes >= 0) break;
    dropEvent(row[0], "queue_full");
    room_bytes += countBytes(asStored(row));
  }
  granted_bytes = room_bytes / MAX_TABS;
};

/** Units: max_bytes of what is stored; the first event is returned whatever its size. */
export const takeEvents = (max_bytes: number, skipped: ReadonlySet<string>): Queued[] => {
  const taken: Queued[] = [];
  for (const row of list()) {
    const [id, text] = row;
    const queued = parseList(text) as Queued;
    const [visitor, event] = queued;
    if (event?.id !== id) {
      removeEvent(id);
    } else if (Date.now() - Date.parse(event.time) > MAX_AGE_MS) {
      dropEvent(id, "too_old");
    } else if (!skipped.has(id)) {
      max_bytes -= countBytes(asStored(row));
      if (taken[0] && (max_bytes < 0 || `${taken[0][0]}` !== `${visitor}`)) break;
      taken.push(queued);
    }
  }
  return taken;
};
