/** What the tests of optional plugins share: a tracker that only notes what it is told. */
import { vi } from "vitest";
import type { Tracker } from "../../src/types";

export type Tracked = [name: string, props: Record<string, unknown>];

export interface Notes {
  tracker: Tracker;
  tracked: Tracked[];
  faults: unknown[];
  /** Lets the tracker's listeners hear of an event with this name. */
  hear: (name: string) => void;
}

export const takeNotes = (): Notes => {
  const tracked: Tracked[] = [];
  const faults: unknown[] = [];
  const listeners: ((event: { name: string }) => unknown)[] = [];
  const tracker = {
    track: (name: string, props: Tracked[1] = {}) => void tracked.push([name, props]),
    on: vi.fn((_: string, listener: (typeof listeners)[0]) => void listeners.push(listener)),
    onReady(work: () => void) {
      try {
        work();
      } catch (fault) {
        faults.push(fault);
      }
    },
  };
  return {
    tracker: tracker as unknown as Tracker,
    tracked,
    faults,
    hear: (name) => listeners.forEach((listener) => listener({ name })),
  };
};
