/**
 * Loads the optional plugins that the script tag names, from the folder beside the script.
 *
 * As modules, because `import` hands on the tag's nonce by itself and needs no exception from Trusted Types.
 * The version in the address is a hash of all plugins, so a page gets those that its tracker was built with.
 */
import { isOn, options } from "./options";
import { emit } from "./topics";
import type { Tracker } from "./types";

declare const __PLUGINS__: string;

interface Plugin {
  default: (tracker: Tracker) => void;
}

/** Errors: an unknown name, a file that does not load or a plugin that fails goes to the topic `fault`. */
export const loadPlugins = (script: string, tracker: Tracker): unknown =>
  ((options.plugins || "") + (isOn(options.leaveTouch) ? ",leave_touch" : ""))
    .split(/\W+/)
    .map(
      (name) =>
        name &&
        import(/* @vite-ignore */ new URL(`plugins/${name}.js?v=${__PLUGINS__}`, script).href)
          .then((plugin: Plugin) => plugin.default(tracker))
          .catch((fault) => emit("fault", fault)),
    );
