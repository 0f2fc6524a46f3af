/** Where and when something happens: here and now, unless it is told later than it happened. */
import type { Props } from "./catalogue";
import { isOn, options } from "./options";
import type { Page } from "./types";

/** A moment that the inline stub has kept. */
export type Moment = [time_ms?: number | undefined, url?: string | undefined];

let moment: Moment = [];
let referrer: string;
let viewed: string;
/** How many views there were in this page. */
export let views = 0;

export const countView = (url: string): void => {
  if (views++ && viewed !== url) referrer = viewed;
  viewed = url;
};

/** Makes what is recorded until the next call belong to that moment; to the present when it is left out. */
export const setMoment = (...told: Moment): void => {
  moment = told;
};

export const setReferrer = (url: string): void => {
  referrer = url;
};

/** Returns an address without query and hash, which may name a person or carry a token. */
export const bare = (url: string): string => url.split(/[?#]/)[0]!;

export const readTime = (): Date => new Date(moment[0] || Date.now());

export const readPage = (url = moment[1] || location.href): Page => ({
  // the hash may carry tokens, and is no part of the page unless it routes
  url: isOn(options.hashRoutes) ? url : url.split("#")[0]!,
  title: document.title,
  referrer,
});

/** Returns the attributes of a `$page_view`, but for the referrer's domain, which the server reads from it. */
export const describePage = (page: Page): Props => ({
  $url: page.url,
  $title: page.title,
  $referrer: page.referrer,
});
