/**
 * Ids in time's order.
 *
 * Shape:  UUID version 7 (RFC 9562): 48 bits of milliseconds, 12 bits of counter, 60 random bits.
 *         Within a page each id is greater than the one before, also when the clock is set back.
 *         The digit of the variant is a, so that a session's id, which has an 8 there, sorts before it.
 * Units:  ticks are 1/4096 ms, so that milliseconds and counter are one number: exact until 2039.
 */
export const TICKS_PER_MS = 4096;

let last_ticks = 0;

const hex = (value: number, length: number): string => value.toString(16).padStart(length, "0");

/** Returns the first eighteen characters of an id made at that time: all that depends on the time. */
export const uuidHead = (ticks: number): string => hex(ticks, 15).replace(/(.{8})(.{4})/, "$1-$2-7");

export const uuid = (): string => {
  last_ticks = Math.max(Date.now() * TICKS_PER_MS, last_ticks + 1);
  // a is the variant: two bits, 10, and two that may be anything
  const random = Array.from(crypto.getRandomValues(new Uint32Array(2)), (part) => hex(part, 8)).join("");
  return uuidHead(last_ticks) + random.replace(/.(...)/, "-a$1-");
};
