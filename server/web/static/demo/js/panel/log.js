// What the panel knows: one entry per event, and how each topic of the tracker changes the entries.
//
// Shape of an entry: {id, event, at_ms, verdict, code, message, warnings}; verdict is one of
// waiting, accepted, duplicate, known (accepted or duplicate: a mixed batch does not say which), rejected, dropped.

const MOST = 100;

/** Return the entries after one topic. Shape: newest first, at most MOST. */
export function afterTopic(entries, topic, payload, now_ms) {
  if (topic === "event") return afterEvent(entries, payload, now_ms);
  if (topic === "sent") return afterSent(entries, payload);
  if (topic === "drop") return afterDrop(entries, payload, now_ms);
  return entries;
}

function afterEvent(entries, event, now_ms) {
  if (!event?.name || entries.some((entry) => entry.id === event.id)) return entries;
  const entry = { id: event.id, event, at_ms: now_ms, verdict: "waiting", warnings: [] };
  return [entry, ...entries].slice(0, MOST);
}

function afterSent(entries, { events = [], answer } = {}) {
  if (!answer) return entries;
  const places = new Map(events.map((event, index) => [event.id, index]));
  const rejections = answer.rejected ?? [];
  const usual = usualVerdict(answer);
  return entries.map((entry) => {
    const index = places.get(entry.id);
    if (index === undefined) return entry;
    const rejection = rejections.find((each) => each.id === entry.id || each.index === index);
    const warnings = (answer.warnings ?? []).filter((warning) => warning.index === index);
    if (!rejection) return { ...entry, verdict: usual, warnings };
    return { ...entry, verdict: "rejected", code: rejection.code, message: rejection.message, warnings };
  });
}

/** Return the verdict on each event of a batch that was not rejected: the answer only counts them. */
function usualVerdict({ accepted = 0, duplicate = 0 }) {
  if (duplicate === 0) return "accepted";
  return accepted === 0 ? "duplicate" : "known";
}

function afterDrop(entries, { events, event, reason } = {}, now_ms) {
  const dropped = events ?? (event ? [event] : []);
  return dropped.reduce((list, each) => {
    return afterEvent(list, each, now_ms).map((entry) =>
      entry.id === each.id ? { ...entry, verdict: "dropped", code: reason } : entry,
    );
  }, entries);
}
