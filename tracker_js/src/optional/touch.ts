/**
 * `$leave_site_attempt` on touch screens: a finger flings the page back towards its top, or the visitor goes back.
 *
 * Fingers are watched rather than the scroll position, because reading that one may force a layout.
 */
import type { Plugin } from "../plugin";

/** Units: since the page began to load, as for pointers. */
const ARM_MS = 5000;
const PAUSE_MS = 60000;
const MIN_FLING_PX = 120;
const MIN_SPEED_PX_PER_MS = 1.2;

/** The Navigation API (https://html.spec.whatwg.org/#navigation-api), as far as it is needed here. */
interface Navigating extends Event {
  navigationType: string;
  destination: { index: number };
}
interface WithNavigation {
  navigation?: EventTarget & { currentEntry: { index: number } | null };
}

const leaveTouch: Plugin = (tracker, listen) => {
  let armed_ms = ARM_MS;
  let start: [y: number, ms: number] | undefined;

  const tell = (trigger: "scroll" | "back", ms: number): void => {
    if (ms < armed_ms || !matchMedia("(pointer:coarse)").matches) return;
    armed_ms = ms + PAUSE_MS;
    tracker.track("$leave_site_attempt", { $trigger: trigger });
  };

  listen("touchstart", ({ touches, timeStamp }: TouchEvent) => {
    // two fingers zoom
    start = touches.length === 1 ? [touches[0]!.clientY, timeStamp] : undefined;
  });
  listen("touchend", ({ changedTouches, timeStamp }: TouchEvent) => {
    if (!start) return;
    const way_px = changedTouches[0]!.clientY - start[0];
    if (way_px >= MIN_FLING_PX && way_px / (timeStamp - start[1]) >= MIN_SPEED_PX_PER_MS)
      tell("scroll", timeStamp);
  });
  const { navigation } = window as WithNavigation;
  navigation?.addEventListener("navigate", (event) => {
    tracker.onReady(() => {
      const { navigationType, destination, timeStamp } = event as Navigating;
      if (navigationType === "traverse" && destination.index < navigation.currentEntry!.index) {
        tell("back", timeStamp);
      }
    });
  });
};

export default leaveTouch;
