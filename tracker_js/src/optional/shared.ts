/** What the optional plugins share. They know nothing of the tracker but its published methods. */
import type { Tracker } from "../types";

/** Returns `work` made safe: a fault in it goes to the tracker's topic `fault`. */
export const guardWith =
  (tracker: Tracker) =>
  <A extends unknown[]>(work: (...args: A) => void) =>
  (...args: A): void =>
    tracker.onReady(() => work(...args));

/** Listens safely to several types of event at the window, before the page itself can stop them. */
export const listenWith =
  (tracker: Tracker) =>
  <E extends Event>(types: string, handle: (event: E) => void): void =>
    types
      .split(" ")
      .forEach((type) => addEventListener(type, guardWith(tracker)(handle) as EventListener, true));

/** Returns an address without query and hash, which may name a person or carry a token. */
export const bare = (url: string): string => url.split(/[?#]/)[0]!;
