/** What an optional plugin is given. It imports nothing of the tracker, so that no byte of it is loaded twice. */
import type { Props } from "./catalogue";
import { listen } from "./guard";
import { isDisabled } from "./options";
import { bare } from "./page";
import { loadList, save } from "./storage";
import { tracker } from "./tracker";
import type { Tracker } from "./types";

/**
 * A plugin is a function, called once the tracker runs. Shape: positional, because names are not minified.
 * Errors: `listen` and `tracker.onReady` send what fails in their callbacks to the topic `fault`.
 */
export type Plugin = (tracker: Tracker, ...kit: Kit) => void;

/**
 * Guarded, capturing listeners at the window; an address without query and hash, which may name a person or carry a
 * token; what is kept under the tracker's prefix, and forgotten with it.
 */
export type Kit = [
  listen: (types: string, handle: (event: never) => void) => void,
  bare: (url: string) => string,
  loadList: (key: string) => unknown[],
  save: (key: string, value: unknown) => unknown,
];

/** What a plugin tracks happens by itself, so it can be switched off like everything that does. */
const track = (name: string, props: Props): unknown => isDisabled(name) || tracker.track(name, props);

export const runPlugin = (plugin: Plugin): void =>
  plugin({ ...tracker, track } as Tracker, listen, bare, loadList, save);
