/** Entry of the npm package. Importing does nothing; `start` runs in browsers only. */
import { type Plugin, runPlugin } from "./plugin";
import { startTracker, tracker } from "./tracker";
import type { Options, Tracker } from "./types";

export type { Plugin } from "./plugin";
export type * from "./types";

/**
 * Starts tracking and returns the tracker; called again, or where the script has started, it returns the same one.
 * Shape: it becomes the global `tracker`, by which the script knows that it is not needed.
 */
export const start = (options: Options & { api: string }): Tracker => {
  const page = window as { tracker?: unknown };
  const found = page.tracker as Partial<Tracker> | undefined;
  if (found?.version) return found as Tracker;
  page.tracker = tracker;
  startTracker(options, location.href, {}, []);
  return tracker;
};

/** Starts an optional plugin, `footfall-tracker/plugins/<name>`, after `start`. */
export const use = (plugin: Plugin): void => tracker.onReady(() => runPlugin(plugin));
