/** Entry of the npm package. Importing does nothing; `start` runs in browsers only and sets no global. */
import { type Plugin, runPlugin } from "./plugin";
import type { Stub } from "./stub";
import { carryOut, startTracker, tracker } from "./tracker";
import type { Options, Started, Tracker } from "./types";

export type { Plugin } from "./plugin";
export type * from "./types";

/**
 * Starts tracking and returns the tracker; called again, or where the script has started, it returns the same one.
 * Shape: it stands at the document, by which the script and another copy of the package know that it runs. A page
 *        that pasted the inline stub as well keeps it, as the tracker.
 */
export const start = (options: Options & { api: string }): Tracker => {
  const page = document as Started;
  const stub = (window as { tracker?: Partial<Tracker & Stub> }).tracker;
  // a form or an image with the name "tracker" is found at the document too
  const found = [page.tracker, stub].find((each) => each?.version);
  if (found) return found as Tracker;
  page.tracker = tracker;
  if (stub?.q) {
    const calls = stub.q.splice(0);
    stub.q.push = carryOut as never;
    startTracker(options, location.href, Object.assign(stub, tracker), calls);
  } else {
    startTracker(options, location.href, {}, []);
  }
  return tracker;
};

/** Starts an optional plugin, `footfall-tracker/plugins/<name>`, after `start`. */
export const use = (plugin: Plugin): void => tracker.onReady(() => runPlugin(plugin));
