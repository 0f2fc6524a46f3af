/**
 * Ids in time's order.
 *
 * Shape:  UUID version 7 (RFC 9562): 48 bits of milliseconds, 12 bits of counter, 60 random bits.
 *         Within a page each id is greater than the one before, also when the clock is set back.
 *         The digit of the variant is a, so that a session's id, which has an 8 there, sorts before it.
 * Units:  the counter counts 1/4096 ms, so that milliseconds and counter are one number: exact until 2039.
 */
const TICKS_PER_MS = 4096;

let last_ms = 0;

const hex = (value: number, length: number): string => value.toString(16).padStart(length, "0");

/** Returns the first eighteen characters of an id made at that time: all that depends on the time. */
export const headAt = (ms: number): string => hex(ms * TICKS_PER_MS, 15).replace(/(.{8})(.{4})/, "$1-$2-7");

export const uuid = (): string => {
  last_ms = Math.max(Date.now(), last_ms + 1 / TICKS_PER_MS);
  // not by Array.from with a function, which Prototype and MooTools replace by one that ignores it
  const [one, other] = crypto.getRandomValues(new Uint32Array(2)) as unknown as [number, number];
  // a is the variant: two bits, 10, and two that may be anything
  return headAt(last_ms) + (hex(one, 8) + hex(other, 8)).replace(/.(...)/, "-a$1-");
};
