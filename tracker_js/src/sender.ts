/**
 * Empties the queue: when, how much, and what an answer means for the events.
 *
 * Contract
 *   One sender: whichever tab holds the Web Lock drains the queue of all tabs; the lock is given back during waits.
 *            Without Web Locks (plain http, old browsers) each tab drains it: that may send an event twice, which
 *            its id makes harmless; nothing can be lost, because only an answer takes an event out.
 *   When:    a short pause after an event; in a steady flow about once a second, so that requests carry several.
 *            At once when the page is hidden or left: by beacon, without the lock, for nothing may wait there. A
 *            beacon has no answer, so if the page lives on the events are confirmed by an ordinary request soon after.
 *   Waits:   after 408, 429, 5xx, no answer or an answer that is no verdict: see backoff.ts. The wait is kept in
 *            storage, as [failures, until, told by the server?], so other tabs and the next page obey it.
 *   Silence: after MAX_BLOCKED attempts without an answer, in a browser that never had one (no wait is stored, not
 *            even one of 0), this page stops: an ad blocker does not change its mind.
 *   Timers:  one, and only while something waits to be sent; one more for each request, the end of its patience.
 */
import { delayAfter, MAX_WAIT_MS } from "./backoff";
import { writeBeacon } from "./beacon";
import { isAllowed } from "./consent";
import { listen } from "./guard";
import { prefix } from "./options";
import { dropEvent, findQueued, listQueue, type Queued, removeEvent, takeEvents } from "./queue";
import { loadList, save } from "./storage";
import { emit } from "./topics";
import { EVENTS_BYTES, pack, post, type Reply, room, sendBeacon } from "./transport";

const KEY = "wait";
const PAUSE_MS = 250;
const STEADY_PAUSE_MS = 1200;
export const MAX_FLUSH_MS = 5000;
const MAX_BLOCKED = 3;

type Wait = [failures: number | undefined, ms: number | false, isTold?: boolean | undefined];

/** Events on their way from this page. */
const busy = new Set<string>();
const waiters: (() => void)[] = [];
let timer: ReturnType<typeof setTimeout> | 0 | undefined;
let run_ms: number | undefined;
/** What a batch may carry, after a server found one too large. */
let max_bytes = EVENTS_BYTES;
let blocked = 0;
let isRunning: boolean | undefined;

const maySend = (): boolean => blocked < MAX_BLOCKED && isAllowed();

const hasWork = (): unknown => maySend() && findQueued()[0];

/** Returns the stored wait, with what is left of it in place of its end. */
const readWait = (): Wait => {
  const [failures, until_ms, isTold] = loadList(KEY) as Wait;
  const left_ms = (until_ms as number) - Date.now();
  // an end further away than any can be: the clock was set back
  return [failures, left_ms > 0 && left_ms < MAX_WAIT_MS && left_ms, isTold];
};

const schedule = (delay_ms: number): void => {
  timer = timer || setTimeout(run, delay_ms);
};

/** Returns the next batch that fits into a request which may outlive the page. */
const readBatch = (): Queued[] => takeEvents(maySend() ? listQueue() : [], Math.min(max_bytes, room()), busy);

/** Notes a batch as on its way, and returns it. */
const occupy = (batch: Queued[]): Queued[] => batch.filter(([, { id }]) => busy.add(id));

/** Acts on an answer; returns something false when the batch has to be sent again. */
const settle = (batch: Queued[], [status, answer]: Reply): unknown => {
  if (status === 413 && batch[1]) return (max_bytes /= 4);
  if (status < 300 && answer?.accepted! >= 0) {
    answer!.rejected?.forEach(({ id, code }) => dropEvent(id, code));
    batch.forEach(([, { id }]) => removeEvent(id));
    emit("sent", { events: batch.map(([, event]) => event), answer });
    return (max_bytes = EVENTS_BYTES);
  }
  if (!/^4(?!08|29)/.test(status as never)) return;
  batch.forEach(([, { id }]) => dropEvent(id, answer?.error?.code || `http_${status}`));
  return true;
};

/** Sends the oldest batch; returns whether the next follows at once: what came meanwhile waits for company. */
const sendOne = async (): Promise<unknown> => {
  busy.clear();
  const batch = readBatch();
  const [failures, left_ms] = readWait();
  if (!batch[0]) return;
  if (left_ms) return schedule(left_ms);
  const hasMore = batch.length < findQueued().length;
  const body = await pack(writeBeacon(batch));
  // a repetition may have failed only for want of keepalive bytes, which the page and others use too
  const mayOutlive = !failures && !blocked;
  // only now: a page that was left meanwhile has sent them by beacon; what may not outlive it still has to be
  if (mayOutlive) occupy(batch);
  const reply = await post(body, mayOutlive);
  const isSettled = settle(batch, reply);
  if (!isAllowed()) return; // denied while it was on its way: nothing may be kept
  blocked = reply[0] || failures! >= 0 ? 0 : blocked + 1;
  if (isSettled) {
    if (failures !== 0) save(KEY, [0, 0]);
    return hasMore || waiters[0];
  }
  const next = -~failures!; // one more, of nothing too
  const delay_ms = delayAfter(next, reply[2]);
  if (!blocked) save(KEY, [next, Date.now() + delay_ms, reply[2]! > 0]);
  return schedule(delay_ms);
};

const drain = async (): Promise<void> => {
  while (await sendOne());
};

const run = async (): Promise<void> => {
  timer = 0;
  if (isRunning) return;
  isRunning = true;
  run_ms = Date.now();
  try {
    await navigator.locks.request(prefix, drain);
  } catch {
    // there are none, or they are refused
    await drain().catch(kick);
  }
  isRunning = false;
  busy.clear();
  if (hasWork())
    schedule(STEADY_PAUSE_MS); // an event that came meanwhile; nothing new during a wait
  else waiters.splice(0).forEach((resolve) => resolve());
};

const leave = (): void => {
  const [, left_ms, isTold] = readWait();
  if (isTold && left_ms) return;
  for (let batch; (batch = readBatch())[0] && sendBeacon(writeBeacon(occupy(batch))););
};

/** Sends soon what there is. */
export const kick = (): void => {
  if (document.hidden) leave();
  schedule(Date.now() < run_ms! + STEADY_PAUSE_MS ? STEADY_PAUSE_MS : PAUSE_MS);
};

/** Takes up what is left over, also from earlier pages. */
export const resume = (): void => {
  if (hasWork()) kick();
};

export const startSender = (): void => {
  listen("pagehide", leave);
  listen("visibilitychange", resume);
  listen("online", () => {
    const [failures, left_ms, isTold] = readWait();
    if (left_ms && !isTold) save(KEY, [failures, 0]);
    blocked = 0;
    void flush();
  });
  resume();
};

/** Resolves when everything queued was answered; at once when nothing will be, after MAX_FLUSH_MS at the latest. */
export const flush = (): Promise<void> =>
  new Promise((resolve) => {
    waiters.push(resolve);
    setTimeout(resolve, MAX_FLUSH_MS);
    clearTimeout(timer as number);
    void run();
  });
