// Numbers and instants as people read them.

const number = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dayOfYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const whole = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

const TAIL = 6; // ids of one kind may begin alike (UUID v7), so their ends are shown

export function formatNumber(value) {
  return number.format(value);
}

/** Return the time of day of an instant; for another day than today, the day before it, with its year if another. */
export function formatTime(instant_ms, now_ms = Date.now()) {
  if (dayOfYear.format(instant_ms) === dayOfYear.format(now_ms)) return clock.format(instant_ms);
  const isOfThisYear = new Date(instant_ms).getFullYear() === new Date(now_ms).getFullYear();
  return `${(isOfThisYear ? day : dayOfYear).format(instant_ms)}, ${clock.format(instant_ms)}`;
}

export function formatInstant(instant_ms) {
  return whole.format(instant_ms);
}

export function shortId(id) {
  return id.slice(-TAIL);
}
