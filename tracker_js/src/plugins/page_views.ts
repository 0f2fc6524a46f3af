/**
 * When a page is viewed: on arrival, on a change of route, on a return from the back/forward cache.
 *
 * Contract
 *   Arrival  is when the page is first visible: a prerendered or background tab that nobody saw was not viewed.
 *   Routes   count when path or query changed (with hash routes: the hash too); the replaceState with the same
 *            address that routers make just before pushState does not. A view is told shortly after the change, because
 *            that is when the page has set its new title, but always before the next view and what the page tracks, and
 *            when the page is hidden or left.
 */
import { guard, listen } from "../guard";
import { readPage } from "../page";

/** Frameworks draw, and set the title, in a task of their own or in the next frame. */
const TITLE_MS = 100;

/**
 * The Navigation API (https://html.spec.whatwg.org/#navigation-api); absent in older Firefox and Safari. A variable of the
 * page, or an element with that id, may stand in its place.
 */
interface WithNavigation {
  navigation?: EventTarget & { currentEntry?: unknown };
}

/** Calls `onView(url)` for each view; returns a function that tells at once of a view that is still to be told. */
export const watchPageViews = (onView: (url: string) => void): (() => void) => {
  let shown: string | undefined;
  let next: string | undefined;

  const view = guard((): void => {
    if (next !== shown && (shown || !document.hidden)) onView((shown = next!));
    next = shown;
  });
  const look = (): void => {
    next = readPage().url;
    view();
  };
  const change = (): void => {
    view();
    next = readPage().url;
    setTimeout(view, TITLE_MS);
  };

  guard(() => {
    const { navigation } = window as WithNavigation;
    if (navigation?.currentEntry) return navigation.addEventListener("currententrychange", change);
    listen("popstate", change);
    (["pushState", "replaceState"] as const).forEach((name) => {
      const original = history[name];
      history[name] = (...args) => {
        original.apply(history, args);
        change();
      };
    });
  })();
  listen("pagehide visibilitychange", look);
  listen("pageshow", ({ persisted }: PageTransitionEvent) => {
    if (persisted) shown = ""; // back from the back/forward cache
    look();
  });
  look();
  return view;
};
