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
import { guard } from "./guard";
import { prefix } from "./options";
import { erase, findKeys, loadList, loadText, parseList, save, saveText } from "./storage";
import { tellDrop } from "./topics";
import type { TrackedEvent } from "./types";
import { findId, type Visitor } from "./visitor";

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
export const listQueue = (): Row[] =>
  // another tab may have removed it just now
  findKeys(KEY).map((id) => [id, `${loadText(KEY + id)}`]);

/** Returns all that is stored of an event. */
const asStored = ([id, text]: Row): string => prefix + KEY + id + text;

export const isQueued = (id: string): unknown => loadText(KEY + id);

/** Returns what is kept of an event: nothing when it is not queued. */
export const loadQueued = (id: string): Partial<Queued> => loadList(KEY + id) as Partial<Queued>;

export const findQueued = (): string[] => findKeys(KEY);

export const removeEvent = (id: string): void => erase(KEY + id);

/** Removes an event and says why, unless another tab was faster. */
export const dropEvent = (id: string, reason: string): void => {
  const [, event] = loadQueued(id);
  removeEvent(id);
  if (!event) return;
  // the tab that called `auth` and waits may be another one
  if (event.name === "$auth") save(REFUSED_KEY, { [id]: reason });
  tellDrop(event, reason);
};

/** Returns why the last `$auth` that was refused was refused, if it is this one. */
export const readAuthRefusal = (id: string): string | undefined =>
  (loadList(REFUSED_KEY)[0] as Record<string, string> | undefined)?.[id];

export const clearQueue = (reason: string): void => findQueued().forEach((id) => dropEvent(id, reason));

/**
 * Keeps an event, then calls back; drops it when it cannot be kept. One that alone is more than all that may wait is
 * refused: its neighbours must not go for it.
 */
export const putEvent = (visitor: Visitor, event: TrackedEvent, onKept: () => unknown): unknown => {
  const { id } = event;
  const text = guard(() => JSON.stringify([visitor, event]))();
  if (!text) return tellDrop(event, "not_json");
  const bytes = countBytes(asStored([id, text]));
  if (bytes > MAX_BYTES) return tellDrop(event, "too_large");
  saveText(KEY + id, text);
  granted_bytes -= bytes;
  if (granted_bytes < 0) {
    const rows = listQueue();
    // at once, because counting hundreds of events one by one is what takes long
    let room_bytes = MAX_BYTES - countBytes(rows.map(asStored).join(""));
    while (room_bytes < 0) {
      const row = rows.shift()!;
      dropEvent(row[0], "queue_full");
      room_bytes += countBytes(asStored(row));
    }
    granted_bytes = room_bytes / MAX_TABS;
  }
  return onKept();
};

/** Units: max_bytes of what is stored; the first event is returned whatever its size. */
export const takeEvents = (rows: Row[], max_bytes: number, skipped: ReadonlySet<string>): Queued[] => {
  const taken: Queued[] = [];
  for (const row of rows) {
    const [id, text] = row;
    const queued = parseList(text) as Queued;
    const [visitor, event] = queued;
    // anyone may write there
    if (event?.id !== id || !findId(visitor?.[0])) {
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
