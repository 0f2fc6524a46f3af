/**
 * Who is here: a random id, kept in storage and in one first-party cookie, so that subdomains agree.
 *
 * Shape:  stored as [visitor_id, user_id]; cookie "<prefix>visitor=<uuid>.<now>", at most 128 bytes with a site key
 *         of up to 60 characters. The time makes a fresh write recognisable when the widest domain is searched.
 * Units:  the cookie lives for one year after the last page.
 */
import { guard } from "./guard";
import { options, prefix } from "./options";
import { loadList, save } from "./storage";
import { uuid } from "./uuid";

const KEY = "visitor";
const YEAR_S = 31536000;

/** Shape: user_id is null until the server has verified it. */
export type Visitor = [visitor_id: string, user_id: string | null];

/** When storage and cookie were last made equal by this page. */
let agreed_ms: number | undefined;

/** Returns the id with which a text begins. */
export const findId = (text?: string): string | undefined => /^[\da-f-]{36}/.exec(text!)?.[0];

const readCookie = guard(() => findId(document.cookie.split(`${prefix + KEY}=`)[1]));

const writeCookie = guard((value: string, age_s: number): void => {
  const labels = location.hostname.split(".");
  // From the widest domain to the host itself: browsers refuse public suffixes, the first that sticks is ours. The last
  // label alone is never tried where there are more: Firefox tells the page's console of each refusal.
  for (let start = labels.length - 1 || 1; start--;) {
    document.cookie =
      `${prefix + KEY}=${value};path=/;max-age=${age_s};samesite=lax;domain=` +
      (options.cookieDomain || labels.slice(start).join(".")) +
      (location.protocol > "http:" ? ";secure" : "");
    if (value && document.cookie.includes(value)) return;
  }
});

/** Makes this the visitor of all tabs and subdomains. */
export const setVisitor = (visitor_id: string, user_id: string | null): Visitor => {
  save(KEY, [visitor_id, user_id]);
  agreed_ms = Date.now();
  writeCookie(`${visitor_id}.${agreed_ms}`, YEAR_S);
  return [visitor_id, user_id];
};

/**
 * Returns the visitor. On arrival the cookie decides, because subdomains share it; then the tabs' storage does. What
 * the page has erased or damaged comes back from the other.
 */
export const readVisitor = (): Visitor => {
  const visitor = loadList(KEY) as Visitor;
  const stored_id = findId(visitor[0]);
  if (agreed_ms && stored_id) return visitor;
  const id = readCookie() || stored_id || uuid();
  return setVisitor(id, id === stored_id ? visitor[1] : null);
};

/** Removes the cookie. */
export const forgetVisitor = (): unknown => writeCookie("", 0);
