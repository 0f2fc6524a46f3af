/** How this page's tracker is set up. There is one tracker in a page, so each file keeps its own part of its state. */
import type { Options } from "./types";

export let options: Options;
export let site: string;
/** What the names of all that is stored begin with. */
export let prefix: string;

export const setOptions = (given: Options): void => {
  options = given;
  site = given.site || "default";
  prefix = `footfall.${site}.`;
};

/** Whether a switch is on: present, and not spelt out as off. */
export const isOn = (value: unknown): boolean => `${value ?? false}` !== "false";

export const isDisabled = (name: string): boolean =>
  (options.disable || "").split(/\W+/).includes(name.slice(1));
