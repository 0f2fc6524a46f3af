/** What the tests of optional plugins share: a tracker that only notes what it is told. */
import { vi } from "vitest";
import { bare } from "../../src/page";
import type { Plugin } from "../../src/plugin";
import type { Tracker } from "../../src/types";

export type Tracked = [name: string, props: Record<string, unknown>];

export interface Notes {
  tracked: Tracked[];
  faults: unknown[];
  /** What is kept beyond the page. */
  store: Map<string, unknown>;
  /** Lets the tracker keep an event: its listeners hear of it. */
  keep: (name: string, props?: Tracked[1]) => void;
}

/** Runs a plugin. Shape: with `isHeld`, its events wait, as without consent. */
export const run = (plugin: Plugin, store = new Map<string, unknown>(), isHeld = false): Notes => {
  const listeners: ((event: unknown) => unknown)[] = [];
  const notes: Notes = {
    tracked: [],
    faults: [],
    store,
    keep: (name, props = {}) => listeners.forEach((listener) => listener({ name, props })),
  };
  const guarded =
    <A extends unknown[]>(work: (...args: A) => unknown) =>
    (...args: A): void => {
      try {
        work(...args);
      } catch (fault) {
        notes.faults.push(fault);
      }
    };
  const tracker = {
    track(name: string, props: Tracked[1] = {}) {
      notes.tracked.push([name, props]);
      if (!isHeld) notes.keep(name, props);
    },
    on: (_: string, listener: (typeof listeners)[0]) => void listeners.push(listener),
    onReady: (work: () => void) => guarded(work)(),
  };
  plugin(
    tracker as unknown as Tracker,
    (types, handle) =>
      types.split(" ").forEach((type) => addEventListener(type, guarded(handle) as EventListener, true)),
    bare,
    (key) => ([] as unknown[]).concat(store.get(key) ?? []),
    (key, value) => store.set(key, value),
  );
  return notes;
};

/** Lets promises go on. */
export const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
