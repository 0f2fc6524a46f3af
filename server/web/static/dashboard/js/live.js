// The live stream: server-sent events that come back by themselves.
import { apiUrl, get } from "./api.js";

const TYPES = ["accepted", "duplicate", "rejected"];

/** So long after a failure it is tried once more. */
export const RETRY_MS = 3000;

// the server says something every 25 s: after so long without anything the connection is dead, though nobody said so
const SILENCE_MS = 65_000;

/** What was acknowledged, and so was told here, is visible in queries this much later at the latest. */
export const SETTLE_MS = 1500;

/**
 * Watch what arrives. onMessage(type, data) for each; onOpen() each time the stream (re)opens, when events may
 * have been missed; onLost() when it breaks; onMissed() when more arrived than the server could tell.
 */
export function watchLive(callbacks) {
  const { onMessage, onOpen, onLost, onMissed } = callbacks;
  const source = new EventSource(apiUrl("live"));
  let silence = 0;
  const hear = () => {
    clearTimeout(silence);
    silence = setTimeout(() => {
      source.close();
      onLost();
      watchLive(callbacks);
    }, SILENCE_MS);
  };
  const on = (type, callback) =>
    source.addEventListener(type, (message) => {
      hear();
      callback(message);
    });
  on("open", onOpen);
  on("error", () => {
    onLost();
    // the browser repeats broken connections, but gives up on refusals: then it is up to us
    if (source.readyState === EventSource.CLOSED) {
      clearTimeout(silence);
      setTimeout(() => retry(callbacks), RETRY_MS);
    }
  });
  for (const type of TYPES) on(type, (message) => onMessage(type, JSON.parse(message.data)));
  on("missed", onMissed);
  on("alive", () => {});
  hear();
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
