/** Entry of the npm package. Importing does nothing; `start` runs in browsers only and sets no global. */
import { type Plugin, runPlugin } from "./plugin";
import { startTracker, tracker } from "./tracker";
import type { Options, Tracker } from "./types";

export type { Plugin } from "./plugin";
export type * from "./types";

let isStarted = false;

/** Starts tracking and returns the tracker; called again, it returns the same one. */
export const start = (options: Options & { api: string }): Tracker => {
  if (!isStarted) startTracker(options, location.href, {}, []);
  isStarted = true;
  return tracker;
};

/** Starts an optional plugin, `footfall-tracker/plugins/<name>`, after `start`. */
export const use = (plugin: Plugin): void => tracker.onReady(() => runPlugin(plugin));
