/**
 * Carrot quest's methods, carried out by the tracker.
 *
 * Shape:  the page's snippet has made `carrotquest` (or `dashly`) and a flat queue of method, arguments, method, ….
 *         Its object is kept and its queue stays alive, so whoever kept a method of the snippet reaches the tracker.
 * The site is that of the tag: `?site=…` in the script's address or `data-site`; the key in `connect` is another
 * product's. Methods of the chat do nothing, so that a page which calls them goes on.
 */
import type { TrackedEvent, Topics, Tracker } from "./types";

type Call = (...args: never[]) => unknown;
type Pairs = unknown[];
type Callback = (payload: { id: string; event: string }) => unknown;

const page = window as unknown as Record<string, unknown> & { tracker: Tracker };
const listeners = new Map<Callback, (batch: Topics["sent"]) => void>();

const ready: (() => void)[] = [];

const INTERACTIONS = ["read", "replied", "clicked"];
const nothing = (): void => {};

const methods: Record<string, Call> = {
  track: (name: string, params?: object) => page.tracker.track(name, { ...params } as never),
  identify: (data: object) => page.tracker.identify(data as never),
  async auth(userId: string, hash: string) {
    let isChanged = false;
    const note = ({ name }: TrackedEvent): void => {
      if (name === "$authorized") isChanged = true;
    };
    page.tracker.on("event", note);
    const result = await page.tracker.auth(userId, hash);
    page.tracker.off("event", note);
    // pages of that product count on it: what greets the visitor does so again for the user
    if (isChanged) ready.forEach((callback) => page.tracker.onReady(callback));
    return result;
  },
  onReady(callback: () => void) {
    ready.push(callback);
    page.tracker.onReady(callback);
  },
  addCallback(topic: string, callback: Callback) {
    if (topic !== "event_tracked" || listeners.has(callback)) return;
    const listener = ({ events, answer }: Topics["sent"]): void => {
      const refused = (answer.rejected || []).map(({ id }) => id);
      events
        .filter(({ id }: TrackedEvent) => !refused.includes(id))
        .forEach(({ id, name }) => page.tracker.onReady(() => callback({ id, event: name })));
    };
    listeners.set(callback, listener);
    page.tracker.on("sent", listener);
  },
  removeCallback(_: string, callback: Callback) {
    const listener = listeners.get(callback);
    listeners.delete(callback);
    if (listener) page.tracker.off("sent", listener);
  },
  trackMessageInteraction(message_id: string, type: string) {
    if (INTERACTIONS.includes(type))
      page.tracker.track(`$message_${type}` as never, { $message_id: message_id } as never);
  },
};
for (const name of ["connect", "open", "openMessenger", "openEmbeddedBot", "removeChat"])
  methods[name] = nothing;

/** Takes over an object and its queue. */
const takeOver = (name: string): void => {
  const queue = (page[`${name}async`] || []) as Pairs;
  const calls = queue.splice(0);
  const carryOut = (...added: Pairs): number => {
    calls.push(...added);
    while (calls.length > 1) {
      const [method, args] = calls.splice(0, 2) as [string, never[]];
      methods[method]?.(...Array.from(args));
    }
    return 0;
  };
  queue.push = carryOut;
  page[name] = Object.assign(Object(page[name]), methods);
  carryOut();
};

const script = document.currentScript as HTMLScriptElement | null;
if (script && !script.dataset.site) {
  const site = new URL(script.src).searchParams.get("site");
  if (site) script.dataset.site = site;
}
takeOver("carrotquest");
if (page.dashly) takeOver("dashly");
page.tracker.onReady(() => document.dispatchEvent(new Event("cqReady")));
