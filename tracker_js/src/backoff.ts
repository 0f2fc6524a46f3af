/**
 * How long to wait before the next attempt.
 *
 * Full jitter above a floor of one second. While an outage is young (nine failures, about half a minute) no wait
 * exceeds 4.9 s: what it held back arrives within five seconds of its end, after fewer than twelve requests in
 * twenty seconds. Then waits double up to five minutes.
 */
const FLOOR_MS = 1000;
const YOUNG_MS = 3900;
const YOUNG_FAILURES = 9;
const MAX_MS = 3e5;

/** No server's wish and no wait of ours is longer. */
export const MAX_WAIT_MS = 36e5;

/** Units: failures in a row; told_ms is what the server asked for with Retry-After, nothing when it is not above 0. */
export const delayAfter = (failures: number, told_ms: number | undefined): number =>
  told_ms! > 0
    ? Math.min(MAX_WAIT_MS, told_ms! + Math.random() * FLOOR_MS)
    : FLOOR_MS + Math.random() * Math.min(MAX_MS, YOUNG_MS * 2 ** Math.max(0, failures - YOUNG_FAILURES));

/** Returns what a Retry-After header asks for, seconds or a date; nothing above 0 where it asks for nothing. */
export const readRetryAfter = (header: string | null): number =>
  +header! * 1000 || Date.parse(header!) - Date.now();
