/** Pages that have replaced what the tracker needs, or hold names that the browser finds first. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import {
  IS_SHIPPED,
  collector,
  hide,
  keysInStorage,
  openPage,
  pass,
  setDocument,
  setNavigator,
  show,
} from "./browser";

const LANDING = ["$session_start", "$page_view"];

describe("window.navigation", () => {
  test.each<[string, () => unknown]>([
    ["a variable of the page", () => [{ href: "/" }]],
    ["an element with that id", () => document.createElement("nav")],
  ])("that is %s is not taken for the API", async (_, make) => {
    Object.assign(window, { navigation: make() });
    await openPage();
    history.pushState({}, "", "/next");
    await pass(2000);
    Object.assign(window, { navigation: undefined });
    expect(collector.names()).toEqual([...LANDING, "$page_view"]);
  });

  test("that fails does not end the other watchers", async () => {
    Object.assign(window, { navigation: { currentEntry: {} } });
    const listen = vi.spyOn(window, "addEventListener");
    await openPage();
    await pass(300);
    Object.assign(window, { navigation: undefined });
    expect(collector.names()).toEqual(LANDING);
    const types = listen.mock.calls.map(([type]) => type);
    expect(types).toEqual(expect.arrayContaining(["pageshow", "change", "submit"]));
  });
});

test("fields that cannot be watched do not end the other watchers, nor start them twice", async () => {
  vi.stubGlobal("MutationObserver", undefined);
  const listen = vi.spyOn(window, "addEventListener");
  const { tracker } = await openPage();
  tracker.track("Seen");
  await pass(300);
  expect(collector.names()).toEqual([...LANDING, "Seen"]);
  expect(listen.mock.calls.filter(([type]) => type === "submit").length).toBe(1);
});

test.skipIf(IS_SHIPPED)("a form or an image called tracker is not taken for one that runs", async () => {
  vi.resetModules();
  setDocument("tracker", document.createElement("form"));
  const { start } = await import("../src/module");
  Object.defineProperty(document, "tracker", { configurable: true, writable: true, value: document.body });
  const tracker = start({ api: "https://tracker.example" });
  await pass(300);
  expect(tracker.version).toMatch(/^\d/);
  expect(collector.names()).toEqual(LANDING);
});

test("ids are whole where a library has replaced Array.from", async () => {
  const { from } = Array;
  const ignoring = ((items: ArrayLike<unknown>) => Array.prototype.slice.call(items)) as typeof from;
  try {
    Array.from = ignoring;
    const { tracker } = await openPage();
    expect(tracker.track("Seen")).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-a[\da-f]{3}-[\da-f]{12}$/);
  } finally {
    Array.from = from;
  }
});

describe("delivery goes on", () => {
  test.each<[string, () => void]>([
    ["screen", () => vi.stubGlobal("screen", null)],
    ["Temporal", () => vi.stubGlobal("Temporal", {})],
  ])("where the page has a variable %s", async (_, replace) => {
    replace();
    const { tracker } = await openPage();
    tracker.track("Seen");
    await pass(2000);
    expect(collector.names()).toEqual([...LANDING, "Seen"]);
    expect(collector.requests[0]!.beacon.context.timezone).toBe(
      Intl.DateTimeFormat().resolvedOptions().timeZone,
    );
  });

  test("after the page's own fetch has thrown, as after a broken network", async () => {
    const { fetch } = window;
    const broken = vi.fn(() => {
      throw new TypeError("not now");
    });
    vi.stubGlobal("fetch", broken);
    await openPage();
    await pass(600);
    expect(broken).toHaveBeenCalledTimes(1); // the next attempt waits
    vi.stubGlobal("fetch", fetch);
    await pass(10_000);
    expect(collector.names()).toEqual(LANDING);
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each(["null", '["x"]', "{}", '"text"'])(
    "past a foreign entry of the queue, of %s",
    async (visitor) => {
      const id = "018f3a52-7c1e-7b64-9d2f-5f0c6b9a1e77";
      localStorage[`footfall.default.queue.${id}`] = `[${visitor},{"id":"${id}"}]`;
      await openPage();
      await pass(2000);
      expect(collector.names()).toEqual(LANDING);
      expect(keysInStorage().some((key) => key.includes("queue"))).toBe(false);
    },
  );

  test("once the page is whole again that has broken what it needs", async () => {
    const { tracker } = await openPage();
    await pass(2000);
    const { Blob } = globalThis;
    vi.stubGlobal("Blob", undefined);
    tracker.track("Seen");
    await pass(10_000);
    expect(collector.names()).toEqual(LANDING);
    vi.stubGlobal("Blob", Blob);
    await pass(10_000);
    expect(collector.names()).toEqual([...LANDING, "Seen"]);
  });

  test.each<[string, unknown]>([
    ["that are refused", { request: () => Promise.reject(new DOMException("no", "SecurityError")) }],
    ["that are a page's own", {}],
  ])("with Web Locks %s", async (_, locks) => {
    setNavigator("locks", locks);
    await openPage();
    await pass(300);
    expect(collector.names()).toEqual(LANDING);
  });
});

describe.each<[string, unknown]>([
  ["without beacons", undefined],
  [
    "where beacons fail",
    () => {
      throw new Error("no");
    },
  ],
])("%s", (_, sendBeacon) => {
  beforeEach(() => {
    Object.defineProperty(navigator, "sendBeacon", { configurable: true, value: sendBeacon });
  });

  test("a hidden page's events go by request", async () => {
    const page = await openPage();
    await pass(2000);
    hide();
    await pass(31 * 60_000);
    expect(page.tracker.track("Hidden")).toMatch(/^[\da-f-]{36}$/);
    await pass(2000);
    expect(collector.names()).toEqual([...LANDING, "$session_start", "Hidden"]);
  });

  test("what waited for consent in a hidden page is sent", async () => {
    const { tracker } = await openPage({ options: { consent: "required" } });
    tracker.track("One");
    tracker.track("Two");
    hide();
    tracker.consent("granted");
    show();
    await pass(2000);
    expect(collector.names()).toEqual([...LANDING, "One", "Two"]);
  });
});

test("a storage that is there and throws at each use, as Firefox's does when its file is broken, is done without", async () => {
  const fail = () => {
    throw new DOMException("corrupted", "NS_ERROR_FILE_CORRUPTED");
  };
  vi.stubGlobal("localStorage", new Proxy({}, { get: fail, set: fail, deleteProperty: fail }));
  const { tracker } = await openPage();
  tracker.track("Seen");
  await pass(3000);
  expect(collector.names()).toEqual([...LANDING, "Seen"]);
});
