/**
 * `Page scrolled`: how far down a visitor got, once for each quarter and page view.
 *
 * Sizes are read in an IntersectionObserver's callback, which comes right after a layout, so reading forces none.
 */
import type { Plugin } from "../plugin";

const STEPS_PERCENT = [25, 50, 75, 100];
/** Zoomed pages end at fractions of a pixel. */
const SLACK_PX = 2;

const scroll: Plugin = (tracker, listen) => {
  const root = document.documentElement;
  let left = STEPS_PERCENT;
  let isMeasuring = false;

  const measure = (_: unknown, observer: IntersectionObserver): void => {
    observer.disconnect();
    isMeasuring = false;
    const percent = ((scrollY + innerHeight + SLACK_PX) / root.scrollHeight) * 100;
    const reached = left.filter((step) => step <= percent);
    left = left.slice(reached.length);
    reached.forEach((step) => tracker.track("Page scrolled", { percent: step }));
  };

  listen("scroll", ({ target }: Event) => {
    // the window only: lists and menus scroll too
    if (isMeasuring || !left[0] || target !== document) return;
    isMeasuring = true;
    new IntersectionObserver(measure).observe(root);
  });
  tracker.on("event", ({ name }) => {
    if (name === "$page_view") left = STEPS_PERCENT;
  });
};

export default scroll;
