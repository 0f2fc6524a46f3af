/**
 * A browser in the test's memory: pages that are opened, hidden and left; tabs that share one storage.
 * Each page runs its own copy of the tracker's modules, as in a real browser.
 */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, vi } from "vitest";
import type { Options, Topics, Tracker } from "../src/types";
import { type Collector, createCollector } from "./collector";

/** Whether the files are tested as they are served instead of their sources: a minifier may change what these mean. */
export const IS_SHIPPED = !!process.env.SHIPPED;

const ENTRIES = {
  "tracker.js": () => import("../src/script"),
  "stub.js": () => import("../src/stub"),
  "carrotquest.js": () => import("../src/carrotquest"),
};

/** Runs what a script tag has in it. */
export const runScript = async (file: keyof typeof ENTRIES): Promise<unknown> => {
  if (IS_SHIPPED) return new Function(readFileSync(`../server/web/static/${file}`, "utf8"))();
  vi.resetModules();
  return ENTRIES[file]();
};

/** The moment at which every test begins. */
export const START_MS = Date.UTC(2026, 10, 23, 14, 3, 22, 1);

export interface Page {
  tracker: Tracker;
  drops: Topics["drop"][];
  sent: Topics["sent"][];
  /** Ends the page as a crash does: its listeners and timers are gone. */
  kill: () => void;
}

export interface Visit {
  url?: string;
  referrer?: string;
  options?: Options;
}

export let collector: Collector;

/** The cookies of a browser that keeps those of a site and refuses those of a public suffix. */
export const cookies = {
  jar: new Map<string, string>(),
  /** All that was written, kept or not. */
  written: [] as string[],
  suffixes: ["example"],
  isForbidden: false,
};

const installCookies = (): void => {
  Object.assign(cookies, { jar: new Map(), written: [], suffixes: ["example"], isForbidden: false });
  Object.defineProperty(document, "cookie", {
    configurable: true,
    get: () => {
      if (cookies.isForbidden) throw new DOMException("sandboxed", "SecurityError");
      return [...cookies.jar].map(([name, value]) => `${name}=${value}`).join("; ");
    },
    set: (text: string) => {
      cookies.written.push(text);
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(text)!;
      const domain = /domain=([^;]*)/.exec(text)?.[1] ?? "";
      if (cookies.suffixes.includes(domain) || !`.${location.hostname}`.endsWith(`.${domain}`)) return;
      if (text.includes("max-age=0")) cookies.jar.delete(name!);
      else cookies.jar.set(name!, value!);
    },
  });
};

type Listener = [target: EventTarget, type: string, listener: EventListener, capture: boolean];

const HISTORY = { pushState: history.pushState, replaceState: history.replaceState };
let listeners: Listener[] = [];

/** Collects what is listened to from here on, so that a page can be ended. */
const collectListeners = (target: EventTarget): void => {
  const listen = target.addEventListener.bind(target);
  vi.spyOn(target, "addEventListener").mockImplementation((type, listener, capture) => {
    listeners.push([target, type, listener as EventListener, !!capture]);
    listen(type, listener, capture);
  });
};

const stopListening = (some: Listener[]): void =>
  some.forEach(([target, type, listener, capture]) => target.removeEventListener(type, listener, capture));

export const setDocument = (name: string, value: unknown): void => {
  Object.defineProperty(document, name, { configurable: true, value });
};

export const setNavigator = (name: string, value: unknown): void => {
  Object.defineProperty(navigator, name, { configurable: true, value });
};

/** Goes to an address as a new page does: no route change. */
export const setUrl = (url: string): void => window.happyDOM.setURL(url);

declare global {
  interface Window {
    happyDOM: { setURL: (url: string) => void };
  }
}

// a form is a list of its fields in browsers, https://html.spec.whatwg.org/#the-form-element; not in this DOM
Object.defineProperty(HTMLFormElement.prototype, Symbol.iterator, {
  value(this: HTMLFormElement) {
    return Array.from(this.elements).values();
  },
});

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS });
  collector = createCollector();
  collectListeners(window);
  vi.stubGlobal("addEventListener", window.addEventListener);
  // it works in real time, for which these pages do not wait; bodies are sent as text then, which is tested first
  vi.stubGlobal("CompressionStream", undefined);
  collectListeners(document.documentElement);
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  // all that the tracker needs of a Storage is that it is an object with properties
  Object.defineProperty(globalThis, "localStorage", { configurable: true, writable: true, value: {} });
  installCookies();
  setUrl("https://shop.example/");
  setDocument("hidden", false);
  setDocument("referrer", "");
  setDocument("prerendering", false);
  setDocument("title", "A page");
  setNavigator("locks", undefined);
  setNavigator("webdriver", false);
  setNavigator("globalPrivacyControl", undefined);
  setNavigator("doNotTrack", null);
  document.body.innerHTML = "";
});

afterEach(() => {
  stopListening(listeners);
  listeners = [];
  Object.assign(history, HISTORY);
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** Loads one of the tracker's modules afresh, with the site's prefix set: a page of its own. */
export const loadModules = async <T>(load: () => Promise<T>, options: Options = {}): Promise<T> => {
  vi.resetModules();
  const { setOptions } = await import("../src/options");
  setOptions(options);
  return load();
};

type ListenTo = (on: Tracker["on"]) => void;

const startPackage = async (listenTo: ListenTo, options?: Options): Promise<Tracker> => {
  const { start } = await import("../src/module");
  const { on } = await import("../src/topics");
  listenTo(on as Tracker["on"]);
  return start({ api: "https://tracker.example", ...options });
};

/** Runs the script with its attributes; what listens did so at the stub, before it came. */
const startScript = async (listenTo: ListenTo, options: Options = {}): Promise<Tracker> => {
  const calls: unknown[] = [];
  listenTo((...args) => calls.push(["on", args, START_MS, location.href, () => {}]));
  const page = window as unknown as { tracker: Tracker & { q: unknown[] } };
  page.tracker = { q: calls } as never;
  const dataset = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, `${value}`]));
  setDocument("currentScript", { src: "https://tracker.example/tracker.js", dataset });
  await runScript("tracker.js");
  return page.tracker;
};

/** Opens a page with the package's entry, which starts like the script does, or with the script as it is served. */
export const openPage = async ({ url, referrer, options }: Visit = {}): Promise<Page> => {
  if (url) setUrl(url);
  if (referrer) setDocument("referrer", referrer);
  const before = listeners.length;
  vi.resetModules();
  Reflect.deleteProperty(document, "tracker"); // all pages of a test have one document
  const drops: Page["drops"] = [];
  const sent: Page["sent"] = [];
  const listenTo = (on: Tracker["on"]): void => {
    on("drop", (drop) => drops.push({ ...drop }));
    on("sent", (batch) => sent.push(batch));
  };
  const tracker = await (IS_SHIPPED ? startScript : startPackage)(listenTo, options);
  return {
    tracker,
    drops,
    sent,
    kill() {
      stopListening(listeners.splice(before));
      const now_ms = Date.now();
      vi.clearAllTimers(); // sets the clock back to its start, too
      vi.setSystemTime(now_ms + 1);
    },
  };
};

/** Lets a time pass: timers and what waits for answers. */
export const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

export const hide = (): void => {
  setDocument("hidden", true);
  document.dispatchEvent(new Event("visibilitychange"));
};

export const show = (): void => {
  setDocument("hidden", false);
  document.dispatchEvent(new Event("visibilitychange"));
};

/** Leaves a page in the order in which browsers do at a navigation. */
export const leave = (page: Page): void => {
  window.dispatchEvent(new Event("pagehide"));
  hide();
  page.kill();
  setDocument("hidden", false);
};

/** An event that a person caused. */
export const byHand = <E extends Event>(event: E, more: object = {}): E => {
  Object.defineProperty(event, "isTrusted", { value: true });
  return Object.assign(event, more);
};

/** Replaces localStorage by one without room, or by one that may not be mentioned. */
export const limitStorage = (limit: "full" | "forbidden"): void => {
  const throwing = (): never => {
    throw new DOMException(limit);
  };
  if (limit === "full") vi.stubGlobal("localStorage", new Proxy({}, { set: throwing }));
  else Object.defineProperty(globalThis, "localStorage", { configurable: true, get: throwing });
};

export const keysInStorage = (): string[] => Object.keys(localStorage);
