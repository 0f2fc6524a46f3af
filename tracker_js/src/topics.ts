/** What a page can listen to. A listener that fails harms nobody else. */
import { guard } from "./guard";
import type { TrackedEvent } from "./types";

type Listener = (payload: never) => unknown;

let listeners: [topic: string, listener: Listener][] = [];
let isDebugged: boolean | undefined;

export const on = (...added: [topic: string, listener: Listener]): unknown => listeners.push(added);

export const off = (topic: string, listener: Listener): void => {
  listeners = listeners.filter(([name, each]) => name !== topic || each !== listener);
};

/** Prints everything that happens to the console, or nothing. */
export const debug = (isOn: boolean): void => {
  isDebugged = isOn;
};

/** Calls the topic's listeners in order; returns false when one of them returned false: a veto. */
export const emit = (topic: string, payload: unknown): boolean => {
  if (isDebugged) console.log("tracker", topic, payload);
  return !listeners
    .map(([name, listener]) => name !== topic || guard(listener)(payload as never))
    .includes(false);
};

/** Tells that an event will not arrive. */
export const tellDrop = (event: TrackedEvent, reason: string): unknown => emit("drop", { event, reason });
