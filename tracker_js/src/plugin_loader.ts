/**
 * Loads the optional plugins that the script tag names, from the folder beside the script.
 *
 * As modules, because `import` hands on the tag's nonce by itself and needs no exception from Trusted Types.
 * The version in the address is a hash of all plugins, so a page gets those that its tracker was built with.
 */
import { isOn, options } from "./options";
import { emit } from "./topics";
import { type Plugin, runPlugin } from "./plugin";

declare const __PLUGINS__: string;

/** Errors: an unknown name, a file that does not load or a plugin that fails goes to the topic `fault`. */
export const loadPlugins = (script: string): void =>
  [options.plugins, isOn(options.leaveTouch) ? "touch" : ""]
    .join()
    .split(/\W+/)
    .forEach(
      (name) =>
        name &&
        import(/* @vite-ignore */ new URL(`plugins/${name}.js?v=${__PLUGINS__}`, script) as never)
          .then(({ default: plugin }: { default: Plugin }) => runPlugin(plugin))
          .catch((fault) => emit("fault", fault)),
    );
