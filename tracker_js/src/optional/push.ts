/**
 * `$push_subscribed` and `$push_unsubscribed`: the page's push subscription has appeared or gone since it was last seen.
 *
 * Looked at on arrival, when the permission changes and whenever the page is hidden or shown, for no event tells of it.
 * What was seen is remembered only once the tracker keeps the event, so nothing is stored without consent; its key is
 * one of the tracker's, so that `consent("denied")` forgets it too.
 */
import type { Plugin } from "../plugin";

const KEY = "push";
const SUBSCRIBED = "$push_subscribed";
const UNSUBSCRIBED = "$push_unsubscribed";

const push: Plugin = (tracker, listen, _, loadList, save) => {
  let told = "";

  const look = async (): Promise<void> => {
    const registration = await navigator.serviceWorker?.getRegistration();
    const isSubscribed = !!(await registration?.pushManager?.getSubscription());
    const name = isSubscribed ? SUBSCRIBED : UNSUBSCRIBED;
    if (isSubscribed === !!loadList(KEY)[0] || told === name) return;
    told = name; // while the event waits for consent
    tracker.track(name);
  };
  /** Forbidden in some frames: then there is nothing to tell. */
  const lookSafely = (): void => void look().catch(() => {});

  tracker.on("event", ({ name }) => {
    if (name === SUBSCRIBED || name === UNSUBSCRIBED) save(KEY, [name === SUBSCRIBED]);
  });
  lookSafely();
  listen("visibilitychange", lookSafely);
  navigator.permissions?.query({ name: "notifications" }).then(
    (status) => status.addEventListener("change", lookSafely),
    () => {},
  );
};

export default push;
