// The one place where the shop talks to the tracker. Blocked or broken, the shop goes on.

/** Track an event; without a tracker, do nothing. */
export function track(name, props) {
  try {
    window.tracker?.track(name, props);
  } catch (problem) {
    console.info("not tracked:", name, problem);
  }
}
