// The live stream: server-sent events that come back by themselves.
import { apiUrl, get } from "./api.js";

const TYPES = ["accepted", "duplicate", "rejected"];

/** So long after a failure it is tried once more. */
export const RETRY_MS = 3000;

/** What was acknowledged, and so was told here, is visible in queries this much later at the latest. */
export const SETTLE_MS = 1500;

/**
 * Watch what arrives. onMessage(type, data) for each; onOpen() each time the stream (re)opens, when events may
 * have been missed; onLost() when it breaks; onMissed() when more arrived than the server could tell.
 */
export function watchLive(callbacks) {
  const { onMessage, onOpen, onLost, onMissed } = callbacks;
  const source = new EventSource(apiUrl("live"));
  source.onopen = onOpen;
  source.onerror = () => {
    onLost();
    // the browser repeats broken connections, but gives up on refusals: then it is up to us
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => retry(callbacks), RETRY_MS);
    }
  };
  for (const type of TYPES) {
    source.addEventListener(type, (message) => onMessage(type, JSON.parse(message.data)));
  }
  source.addEventListener("missed", onMissed);
}

async function retry(callbacks) {
  try {
    await get("events", { limit: 1 }); // an ended session leads to the login page
  } catch {
    setTimeout(() => retry(callbacks), RETRY_MS);
    return;
  }
  watchLive(callbacks);
}
