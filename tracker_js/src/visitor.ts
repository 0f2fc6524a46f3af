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

let isAgreed = false;

/** Returns the cookies from the visitor's value on. */
const readCookie = guard(() => document.cookie.split(`${prefix + KEY}=`)[1]);

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
  writeCookie(`${visitor_id}.${Date.now()}`, YEAR_S);
  isAgreed = true;
  return [visitor_id, user_id];
};

/** Returns the visitor. On arrival the cookie decides, because subdomains share it; then the tabs' storage does. */
export const readVisitor = (): Visitor => {
  const [stored_id, user_id] = loadList(KEY) as Visitor;
  const [id] = /^[\da-f-]{36}/.exec((!isAgreed && readCookie()) || stored_id) || [uuid()];
  const isSame = id === stored_id;
  return isAgreed && isSame ? [id, user_id] : setVisitor(id, isSame ? user_id : null);
};

/** Removes the cookie. */
export const forgetVisitor = (): void => {
  writeCookie("", 0);
  isAgreed = false;
};
