/** `$calendly_invitee_created`: somebody books a meeting in an embedded Calendly calendar. */
import type { Plugin } from "../plugin";

const ORIGIN = "https://calendly.com";

/** What Calendly's frame tells the page around it. */
interface Message {
  event?: unknown;
  payload?: { event?: { uri?: unknown }; invitee?: { uri?: unknown } };
}

const calendly: Plugin = (tracker, listen) =>
  listen("message", ({ origin, data }: MessageEvent<Message | null>) => {
    if (origin !== ORIGIN || data?.event !== "calendly.event_scheduled") return;
    const { event, invitee } = data.payload || {};
    tracker.track("$calendly_invitee_created", { event_uri: event?.uri, invitee_uri: invitee?.uri });
  });

export default calendly;
