/**
 * What is kept between pages: JSON in localStorage under the site's prefix, or in memory where that is forbidden.
 *
 * Shape:  keys are "footfall.<site>.<key>". A value for which there is no room stays in this page's memory
 *         until some tab stores another one. Anyone may write there, so whatever is read is checked by its reader.
 * Errors: `save` throws what JSON.stringify throws, nothing else.
 */
import { guard } from "./guard";
import { prefix } from "./options";

type Store = Record<string, string>;
type Text = string | undefined;

// a sandboxed frame throws at the mere mention of localStorage, some web views have null there, and Firefox throws at
// each use where its file is broken: compared, because the minifier drops what is only looked at
const allowed = guard(() => localStorage.length < 0 || localStorage)() as Store | undefined;
const store = allowed || {};
const overflow: Store = {};

/** Returns whether everything is kept in memory, for this page only. */
export const isForgetful = (): boolean => !allowed;

/** Returns what a text holds; undefined when it is no JSON. */
export const parseJson = guard((text: Text): unknown => text && JSON.parse(text));

/** Returns what a text holds as a list: nothing that is no list can surprise the code that takes it apart. */
export const parseList = (text: Text): unknown[] => ([] as unknown[]).concat(parseJson(text));

export const loadText = (key: string): Text => store[prefix + key] || overflow[prefix + key];

export const loadList = (key: string): unknown[] => parseList(loadText(key));

export const erase = (key: string): void => {
  delete overflow[prefix + key];
  delete store[prefix + key];
};

/** Keeps a text and returns it. */
export const saveText = (key: string, text: string): string => {
  delete overflow[prefix + key];
  try {
    store[prefix + key] = text;
  } catch {
    erase(key); // what is older, or what another tab has said meanwhile, must not be read any more
    overflow[prefix + key] = text;
  }
  return text;
};

export const save = (key: string, value: unknown): string => saveText(key, JSON.stringify(value));

/** Returns the rest of all keys that begin with `start`, sorted. */
export const findKeys = (start: string): string[] =>
  Object.keys(store)
    .concat(Object.keys(overflow))
    .flatMap((name) => name.split(prefix + start)[1] || [])
    .sort();
