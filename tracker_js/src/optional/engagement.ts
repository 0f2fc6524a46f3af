/**
 * `Page engaged`: for how long a page was visible and had the focus, told whenever it is hidden, left or changes route.
 *
 * Units: seconds since it was last told, so the sum over a page's events is its whole time.
 * Time passes on the monotonic clock: a clock that is set does not count.
 */
import type { Plugin } from "../plugin";

const MIN_MS = 1000;

const engagement: Plugin = (tracker, listen, bare) => {
  let url = bare(location.href);
  let engaged_ms = 0;
  let since_ms = 0;
  let isEngaged = false;

  const update = (): void => {
    const now_ms = performance.now();
    if (isEngaged) engaged_ms += now_ms - since_ms;
    since_ms = now_ms;
    isEngaged = !document.hidden && document.hasFocus();
  };
  const tell = (): void => {
    update();
    if (engaged_ms < MIN_MS) return;
    const seconds = Math.round(engaged_ms / 100) / 10;
    engaged_ms = 0;
    tracker.track("Page engaged", { seconds, url });
  };

  update();
  listen("focus blur pageshow", update);
  listen("visibilitychange", () => (document.hidden ? tell() : update()));
  listen("pagehide", () => {
    tell();
    isEngaged = false; // until it comes back from the back/forward cache
  });
  tracker.on("event", ({ name }) => {
    if (name !== "$page_view") return;
    tell();
    url = bare(location.href);
  });
};

export default engagement;
