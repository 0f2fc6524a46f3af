/**
 * Entry of the script tag: reads its `data-*` attributes, takes over from the inline stub, starts once.
 *
 * The stub's object becomes the tracker and its list of calls stays alive, so a page that kept the object or one of
 * its methods goes on with the real thing.
 */
import { guard } from "./guard";
import { loadPlugins } from "./plugin_loader";
import type { Stub } from "./stub";
import { carryOut, startTracker, tracker } from "./tracker";
import type { Started, Tracker } from "./types";

guard(() => {
  const page = window as { tracker?: unknown };
  const found = page.tracker as Partial<Tracker & Stub> | undefined;
  // an element with the id "tracker" is found under that name too
  const stub: Partial<Tracker & Stub> = found?.q ? found : { q: [] };
  // included twice, or the package runs; a form or an image with the name "tracker" is found at the document too
  if ((document as Started).tracker?.version || stub.version) return;
  const { src, dataset } = document.currentScript as HTMLScriptElement;
  const calls = stub.q!.splice(0);
  stub.q!.push = carryOut as never; // nobody asks how long the list has become
  page.tracker = Object.assign(stub, tracker);
  startTracker(dataset, src, stub, calls);
  loadPlugins(src);
})();
