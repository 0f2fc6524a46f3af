// What an event is about, in a few words: what tells two rows of one name apart.

const TELLING = ["$name", "$order_id_human", "$field", "$form", "$utm_source", "$message_name", "$comment", "query"];

/** Return a short text: the telling property if there is one, and where it happened. */
export function gistOf(event) {
  const what = TELLING.map((name) => event.props?.[name]).find((value) => value != null && value !== "");
  return [text(what), event.path].filter(Boolean).join(" · ");
}

/** Return who did it: browser, system and place, as far as they are known. */
export function agentOf(event) {
  const place = event.city ?? event.country;
  return [event.browser, event.os, place].filter(Boolean).join(", ");
}

function text(value) {
  if (Array.isArray(value)) return value.map(text).join(", ");
  return value != null && typeof value === "object" ? JSON.stringify(value) : String(value ?? "");
}
