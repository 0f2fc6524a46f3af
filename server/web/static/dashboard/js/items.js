// One row of the stream, whatever it came from: history, the live stream, the rejected ones.
//
// Shape: {key, verdict, at_ms, arrived_ms, site, name, visitor_id, user_id, event | null, refusal | null, warnings,
// repeats}; arrived_ms is by this page's clock, null where history told of it; verdict is accepted, duplicate or
// rejected; a refusal is what GET /api/rejected tells of it, its site null where none was named.

export function itemOfEvent(event, verdict = "accepted", warnings = []) {
  return {
    // the id is the site's choice: another site may have the same
    key: `${event.id} ${event.site}`,
    verdict,
    at_ms: Date.parse(event.time),
    arrived_ms: null,
    site: event.site,
    name: String(event.name),
    visitor_id: event.visitor_id,
    user_id: event.user_id ?? null,
    event,
    refusal: null,
    warnings,
    repeats: 0,
  };
}

export function itemOfRefusal(refusal) {
  const sent = sentEvent(refusal.payload);
  return {
    key: `rejected ${refusal.rejected_id}`,
    verdict: "rejected",
    at_ms: Date.parse(refusal.received_at),
    arrived_ms: null,
    site: refusal.site ?? null,
    name: textOf(sent.name) ?? "",
    // a page names its visitor once for all events of a request
    visitor_id: textOf(sent.visitor_id) ?? refusal.visitor_id,
    user_id: textOf(sent.user_id) ?? refusal.user_id,
    event: null,
    refusal,
    warnings: [],
    repeats: 0,
  };
}

/** Return the item that a message of the live stream tells of. */
export function itemOfMessage(type, data) {
  const item = type === "rejected" ? itemOfRefusal(data) : itemOfEvent(data.event, type, data.warnings);
  return { ...item, arrived_ms: Date.now() };
}

function textOf(value) {
  return typeof value === "string" ? value : null;
}

function sentEvent(payload) {
  try {
    return JSON.parse(payload) ?? {};
  } catch {
    return {};
  }
}
