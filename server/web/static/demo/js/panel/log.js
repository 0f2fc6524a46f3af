// What the panel knows: one entry per event, and how each topic of the tracker changes the entries.
//
// Shape of an entry: {id, event, at_ms, verdict, code, message, warnings, isEarlier}; verdict is one of
// waiting, accepted, duplicate, known (accepted or duplicate: a mixed batch does not say which), rejected, dropped;
// isEarlier marks events of an earlier page.

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
  const refusals = new Map((answer.rejected ?? []).map((refusal) => [refusal.id, refusal]));
  const isKept = ({ id }) => places.has(id) && !refusals.has(id);
  const repeated = entries.filter((entry) => isKept(entry) && entry.isEarlier).length;
  return entries.map((entry) => {
    if (!places.has(entry.id)) return entry;
    const warnings = (answer.warnings ?? []).filter(({ index }) => index === places.get(entry.id));
    if (isKept(entry)) return { ...entry, verdict: keptVerdict(entry, answer, repeated), warnings };
    const { code, message } = refusals.get(entry.id);
    return { ...entry, verdict: "rejected", code, message, warnings };
  });
}

/**
 * Return the verdict on an event that was not rejected. The answer only counts them; but what an earlier page sent
 * when it was left, without hearing the answer, is sent again by the next, so where the numbers agree it is those.
 */
function keptVerdict(entry, { accepted = 0, duplicate = 0 }, repeated) {
  if (duplicate === 0) return "accepted";
  if (accepted === 0) return "duplicate";
  if (duplicate !== repeated) return "known";
  return entry.isEarlier ? "duplicate" : "accepted";
}

function afterDrop(entries, { events, event, reason } = {}, now_ms) {
  const dropped = events ?? (event ? [event] : []);
  return dropped.reduce((list, each) => {
    return afterEvent(list, each, now_ms).map((entry) =>
      entry.id === each.id ? { ...entry, verdict: "dropped", code: reason } : entry,
    );
  }, entries);
}
