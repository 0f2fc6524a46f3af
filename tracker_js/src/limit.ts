/** Caps a runaway loop: BURST events at once, then PER_SECOND. Shape: a token bucket on a clock that may jump. */
const BURST = 100;
const PER_MS = 0.01;

let tokens = BURST;
let filled_ms = Date.now();

/** Takes one token if there is one. */
export const takeToken = (): boolean => {
  const now_ms = Date.now();
  tokens = Math.min(BURST, tokens + Math.abs(now_ms - filled_ms) * PER_MS);
  filled_ms = now_ms;
  return tokens >= 1 && !!tokens--;
};
