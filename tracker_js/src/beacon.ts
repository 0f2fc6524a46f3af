/** What travels: one batch of one visitor's events, and what only the browser knows about the device. */
import { guard } from "./guard";
import { site } from "./options";
import type { Queued } from "./queue";

declare const __VERSION__: string;

export const version = __VERSION__;

/** Chromium's client hints (https://wicg.github.io/ua-client-hints/), not yet in the DOM's types. */
interface UserAgentData {
  getHighEntropyValues(names: string[]): Promise<unknown>;
}

/** Temporal (https://tc39.es/proposal-temporal/), not yet in the language's types. */
interface WithTemporal {
  Temporal?: { Now?: { timeZoneId(): string } };
}

let hints: unknown;

/** Asks for the high-entropy hints. Nothing waits for them: they are told from the first batch after they came. */
export const askHints = (): unknown =>
  guard(() =>
    (navigator as { userAgentData?: UserAgentData }).userAgentData
      ?.getHighEntropyValues(["model", "platformVersion", "fullVersionList", "formFactors"])
      .then(
        (found) => (hints = found),
        () => {}, // forbidden by a permissions policy: the headers must do
      ),
  )();

/** Shape: the beacon of the server's `POST /collect`; JSON leaves undefined values out. */
export const writeBeacon = (batch: Queued[], [[[visitor_id, user_id]]] = batch as [Queued]): string =>
  JSON.stringify({
    site,
    visitor_id,
    user_id,
    sent_at: new Date(),
    tracker: version,
    context: {
      // a page's own variables may stand in the place of these globals
      resolution: guard(() => `${screen.width}x${screen.height}`)(),
      // asked first, because Intl loads a language's ways to write dates before it answers: forty times slower
      timezone:
        (window as WithTemporal).Temporal?.Now?.timeZoneId() ||
        Intl.DateTimeFormat().resolvedOptions().timeZone,
      language: navigator.language,
      touch_points: navigator.maxTouchPoints,
      hints,
      webdriver: navigator.webdriver,
    },
    events: batch.map(([, event]) => event),
  });
