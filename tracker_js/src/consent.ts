/**
 * Whether events may be kept now, later, or never.
 *
 * Shape:  the decision is stored as "consent": granted or denied; it is all that is stored without consent.
 *         It is read anew at every question, because it may have been made in another tab, or while this page was kept
 *         in the back/forward cache.
 *         Global Privacy Control beats a granted consent: only the owner's `data-ignore-gpc` beats it. A denial is
 *         noted beside it, for a browser that no longer sends it.
 *         A prerendered page waits like one without consent: nobody has seen it yet.
 */
import { isOn, options } from "./options";
import { loadList, save } from "./storage";

const KEY = "consent";
export const GRANTED = "granted";

/** What browsers may say and the DOM's types do not know. */
interface Signals {
  globalPrivacyControl?: boolean;
  doNotTrack?: string | null;
}

/** Returns the browser's objection. */
const readSignal = (): string | false | 0 =>
  (navigator as Signals).globalPrivacyControl && !isOn(options.ignoreGpc)
    ? "gpc"
    : +(navigator as Signals).doNotTrack! && isOn(options.dnt) && "dnt";

/** Returns `granted`, or why nothing may be kept; nothing while events must wait in memory. */
export const readConsent = (): string | false =>
  !(document as { prerendering?: boolean }).prerendering &&
  (readSignal() || (loadList(KEY)[0] as string) || (options.consent !== "required" && GRANTED));

export const isAllowed = (): boolean => readConsent() === GRANTED;

/** Notes the consent, unless the browser objects; `prepare` is done before other tabs can hear of it. */
export const grantConsent = (prepare: () => unknown): unknown =>
  readSignal() || (prepare(), save(KEY, GRANTED));

export const denyConsent = (): unknown => save(KEY, "denied");
