/**
 * One request at a time and its answer.
 *
 * Browsers let all requests that may outlive a page carry 64 KiB together (https://fetch.spec.whatwg.org, "inflight
 * keepalive bytes") and fail those beyond it like a broken network, so a running sum of what is on its way is kept.
 * Chromium gives the bytes back only when an answer's body was read, so every body is read to its end. WebKit drops
 * what is on its way when a navigation begins. If that comes to nothing (a download, an answer without content), such
 * a request never ends, nor does it heed its signal (measured in WebKitGTK), so the end of patience is told apart.
 */
import { readRetryAfter } from "./backoff";
import { guard } from "./guard";
import { countBytes } from "./queue";
import { parseJson } from "./storage";
import type { Answer } from "./types";

/** Of 65,536; the rest is for what a beacon says beside its events. */
export const EVENTS_BYTES = 60000;
const TIMEOUT_MS = 3e4;

/** Shape: status is 0 when no answer came; answer is undefined when the body is no JSON. */
export type Reply = [
  status: number,
  answer?: (Partial<Answer> & { error?: { code?: string } }) | undefined,
  told_ms?: number | undefined,
];

let url: string;
let inflight_bytes = 0;

/** Sets where to send: relative to where the script came from, or to the server that the page names. */
export const setBase = (script: string, api?: string): void => {
  url = new URL((api || ".").replace(/\/*$/, "/") + "./collect", script).href;
};

/** Bytes of events that a request may carry now so that it outlives the page. */
export const room = (): number => EVENTS_BYTES - inflight_bytes;

/** Returns a text as gzip, which is a third of it; as it is where the browser cannot. */
export const pack = async (text: string): Promise<Blob> => {
  const plain = new Blob([text]);
  try {
    return await new Response(plain.stream().pipeThrough(new CompressionStream("gzip"))).blob();
  } catch {
    return plain;
  }
};

/** Posts a body, by preference so that it outlives the page. Errors: none, see Reply. */
export const post = (body: Blob, mayOutlive: boolean): Promise<Reply> => {
  let patience: ReturnType<typeof setTimeout>;
  inflight_bytes += body.size;
  return new Promise<Reply>((resolve, reject) => {
    patience = setTimeout(reject, TIMEOUT_MS);
    fetch(url, {
      body, // without a type it needs no preflight; the server looks at the content
      method: "POST",
      signal: AbortSignal.timeout?.(TIMEOUT_MS),
      keepalive: mayOutlive,
    })
      .then(async (response) => {
        const answer = parseJson(await response.text()) as Reply[1];
        resolve([response.status, answer, readRetryAfter(response.headers.get("Retry-After"))]);
      })
      .catch(reject);
  })
    .catch((): Reply => [0])
    .finally(() => {
      clearTimeout(patience);
      inflight_bytes = 0; // one request at a time; the page lives on, so beacons before it have been sent
    });
};

/**
 * Hands a body to the browser when the page may be about to end. True proves nothing but that it was taken.
 * Errors: undefined where there is no such thing, or it fails.
 */
export const sendBeacon = guard((body: string): boolean => {
  const isTaken = navigator.sendBeacon(url, body);
  if (isTaken) inflight_bytes += countBytes(body);
  return isTaken;
});
