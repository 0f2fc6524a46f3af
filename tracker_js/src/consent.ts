/**
 * Whether events may be kept now, later, or never.
 *
 * Shape:  the decision is stored as "consent": granted or denied; it is all that is stored without consent.
 *         Global Privacy Control beats a granted consent: only the owner's `data-ignore-gpc` beats it.
 *         A prerendered page waits like one without consent: nobody has seen it yet.
 */
import { isOn, options } from "./options";
import { loadList, save } from "./storage";

const KEY = "consent";
const GRANTED = "granted";

/** What browsers may say and the DOM's types do not know. */
interface Signals {
  globalPrivacyControl?: boolean;
  doNotTrack?: string | null;
}

/** The visitor's own decision, or the browser's signal, which is final. */
let decision: unknown;
let isFinal = false;

export const readConsent = (): void => {
  const { globalPrivacyControl, doNotTrack } = navigator as Signals;
  const signal =
    globalPrivacyControl && !isOn(options.ignoreGpc)
      ? "gpc"
      : doNotTrack === "1" && isOn(options.dnt) && "dnt";
  isFinal = !!signal;
  decision = signal || loadList(KEY)[0];
};

/** Returns why nothing may be kept, or nothing. */
export const readRefusal = (): string => (decision && decision !== GRANTED ? `${decision}` : "");

/** Whether events must wait in memory. */
export const isPending = (): boolean =>
  (options.consent === "required" && !decision) || !!(document as { prerendering?: boolean }).prerendering;

export const isAllowed = (): boolean => !readRefusal() && !isPending();

export const setConsent = (isGranted: boolean): void => {
  if (!isFinal) save(KEY, (decision = isGranted ? GRANTED : "denied"));
};
