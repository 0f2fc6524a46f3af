/**
 * The inline snippet: keeps calls until the script has loaded, and where the visitor arrived.
 *
 * Shape:  window.tracker is {q: calls, u: landing address, r: referrer, t: time} and one function for each method.
 *         A call is [method, arguments, time, address, resolve]; each call returns a promise of its result.
 *         If the script never comes, the promises resolve after five seconds, so that no page waits for ever.
 */
export type StubCall = [
  method: string,
  args: unknown[],
  time_ms: number,
  url: string,
  resolve: (result: unknown) => void,
];

export interface Stub {
  q: StubCall[];
  u: string;
  r: string;
  t: number;
}

(() => {
  const page = window as unknown as { tracker?: Record<string, unknown> };
  let tracker = page.tracker;
  if (tracker && tracker.q) return;
  const q: unknown[] = [];
  const now = Date.now;
  tracker = page.tracker = { q, u: location.href, r: document.referrer, t: now() };
  "track page identify auth logout set consent optOut optIn flush on off onReady debug".split(" ").map(
    (method) =>
      (tracker![method] = (...args: unknown[]) =>
        new Promise((resolve) => {
          q.push([method, args, now(), location.href, resolve]);
          setTimeout(resolve, 5e3);
        })),
  );
})();
