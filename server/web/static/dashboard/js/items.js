// One row of the stream, whatever it came from: history, the live stream, the rejected ones.
//
// Shape: {key, verdict, at_ms, name, visitor_id, event | null, refusal | null, warnings, repeats}; verdict is
// accepted, duplicate or rejected; a refusal is {code, message, payload, received_at, site, source}.

export function itemOfEvent(event, verdict = "accepted", warnings = []) {
  return {
    key: event.id,
    verdict,
    at_ms: Date.parse(event.time),
    name: String(event.name),
    visitor_id: event.visitor_id,
    event,
    refusal: null,
    warnings,
    repeats: 0,
  };
}

export function itemOfRefusal(refusal) {
  const sent = sentEvent(refusal.payload);
  return {
    // the id is the page's choice and may be missing, or that of an accepted event
    key: `rejected ${refusal.received_at} ${refusal.id} ${refusal.code}`,
    verdict: "rejected",
    at_ms: Date.parse(refusal.received_at),
    name: typeof sent.name === "string" ? sent.name : "",
    visitor_id: typeof sent.visitor_id === "string" ? sent.visitor_id : null,
    event: null,
    refusal,
    warnings: [],
    repeats: 0,
  };
}

/** Return the item that a message of the live stream tells of. */
export function itemOfMessage(type, data) {
  return type === "rejected" ? itemOfRefusal(data) : itemOfEvent(data.event, type, data.warnings);
}

function sentEvent(payload) {
  try {
    return JSON.parse(payload) ?? {};
  } catch {
    return {};
  }
}
