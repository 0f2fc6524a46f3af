/**
 * The host page is sacred: whatever fails in here stays in here.
 * Everything that the browser or the page calls goes through `guard` or `listen`.
 */
import { emit } from "./topics";

/** Returns `work` made safe: a fault in it goes to the topic `fault` and the call returns undefined. */
export const guard =
  <A extends unknown[], R>(work: (...args: A) => R) =>
  (...args: A): R | undefined => {
    try {
      return work(...args);
    } catch (fault) {
      emit("fault", fault);
    }
  };

/**
 * Listens safely to several types of event, separated by spaces, wherever in the page they happen.
 * Capturing at the window, so that a page which stops an event's propagation hides nothing.
 */
export const listen = (types: string, handle: (event: never) => void): void =>
  types.split(" ").forEach((type) => addEventListener(type, guard(handle) as EventListener, true));
