import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Tracker } from "../src/types";
import { collector, pass, runScript, setDocument, setUrl, START_MS } from "./browser";

const LANDING = ["$session_start", "$page_view"];
const find = (name: string) => collector.stored.find((event) => event.name === name)!;
const page = () => window as unknown as { tracker: Tracker };

beforeEach(() => {
  Reflect.deleteProperty(window, "tracker");
  Reflect.deleteProperty(document, "tracker");
});

const methodsOf = (object: object) =>
  Object.entries(object)
    .filter(([, value]) => typeof value === "function")
    .map(([name]) => name)
    .sort();

/** Runs the inline stub. */
const pasteStub = async () => {
  await runScript("stub.js");
  return page().tracker;
};

/** Runs the script as its tag does. */
const loadScript = async (attributes: Record<string, string> = {}) => {
  const script = document.createElement("script");
  for (const [name, value] of Object.entries(attributes)) script.setAttribute(name, value);
  Object.defineProperty(script, "src", { value: "https://t.example/tracker.js" });
  setDocument("currentScript", script);
  await runScript("tracker.js");
  setDocument("currentScript", null);
  return page().tracker;
};

describe("without the stub", () => {
  test("the script starts and offers the tracker", async () => {
    const tracker = await loadScript({ "data-site": "shop", "data-disable": "session_start" });
    tracker.track("Seen");
    await pass(300);
    expect(collector.names()).toEqual(["$page_view", "Seen"]);
    expect(collector.requests[0]!.url).toBe("https://t.example/collect");
    expect(collector.requests[0]!.beacon.site).toBe("shop");
  });

  test("an element that is called tracker does no harm", async () => {
    Object.assign(window, { tracker: document.createElement("div") });
    (await loadScript()).track("Seen");
    await pass(300);
    expect(collector.names()).toEqual([...LANDING, "Seen"]);
  });

  test("a page whose package has started is left to it", async () => {
    vi.resetModules();
    const { start } = await import("../src/module");
    start({ api: "https://t.example" });
    expect(await loadScript()).toBeUndefined();
    await pass(300);
    expect(collector.names()).toEqual(LANDING);
  });

  test("a page with stub, package and script has one tracker, which loses no call", async () => {
    const stub = await pasteStub();
    void stub.track("Early");
    vi.resetModules();
    const { start } = await import("../src/module");
    const tracker = start({ api: "https://t.example" });
    expect(await loadScript()).toBe(stub);
    void stub.track("Later");
    tracker.track("By the package");
    await pass(2000);
    expect(collector.names()).toEqual([...LANDING, "Early", "Later", "By the package"]);
  });

  test("a package that starts after the script gives the script's tracker", async () => {
    const first = await loadScript();
    vi.resetModules();
    const { start } = await import("../src/module");
    expect(start({ api: "https://t.example" })).toBe(first);
    await pass(300);
    expect(collector.names()).toEqual(LANDING);
  });

  test("a page that includes it twice starts it once", async () => {
    const first = await loadScript();
    const second = await loadScript({ "data-site": "other" });
    second.track("Seen");
    await pass(300);
    expect(second).toBe(first);
    expect(collector.names()).toEqual([...LANDING, "Seen"]);
    expect(collector.requests.length).toBe(1);
  });

  test("nothing breaks when the browser does not say which script runs", async () => {
    setDocument("currentScript", null);
    await runScript("tracker.js");
    expect(page().tracker).toBeUndefined();
  });
});

describe("with the stub", () => {
  test("calls are replayed in order, after the landing, with their own time and address", async () => {
    const stub = await pasteStub();
    await pass(100);
    stub.track("First", { step: 1 } as never);
    setUrl("https://shop.example/second");
    await pass(100);
    stub.set({ plan: "pro" });
    stub.identify({ $name: "Ann" });
    stub.track("Second");
    await pass(1000);
    setUrl("https://shop.example/third");
    await loadScript();
    await pass(300);
    expect(collector.names()).toEqual([...LANDING, "First", "$identify", "Second"]);
    expect(find("$page_view").time).toBe(new Date(START_MS).toISOString());
    expect(find("First")).toMatchObject({
      time: new Date(START_MS + 100).toISOString(),
      page: { url: "https://shop.example/" },
      props: { step: 1 },
    });
    expect(find("Second")).toMatchObject({
      time: new Date(START_MS + 200).toISOString(),
      page: { url: "https://shop.example/second" },
      props: { plan: "pro" },
    });
    expect(find("First").props).not.toHaveProperty("plan");
  });

  test("calls that rule what is recorded by itself act before the landing", async () => {
    const stub = await pasteStub();
    stub.on("event", (event) => {
      event.props.seen = true;
    });
    stub.set({ plan: "pro" });
    stub.onReady(() => {});
    await loadScript();
    await pass(300);
    expect(collector.stored.map(({ props }) => [props.seen, props.plan])).toEqual([
      [true, "pro"],
      [true, "pro"],
    ]);
  });

  test("an objection before the script has loaded is in time", async () => {
    (await pasteStub()).optOut();
    await loadScript();
    await pass(60_000);
    expect(collector.requests).toEqual([]);
  });

  test("a router that rewrites the address early loses no campaign", async () => {
    setUrl("https://shop.example/?utm_source=spring");
    setDocument("referrer", "https://search.example/");
    await pasteStub();
    setUrl("https://shop.example/");
    setDocument("referrer", "");
    await loadScript();
    await pass(300);
    expect(collector.names()).toEqual(["$session_start", "$utm_hit", "$page_view"]);
    expect(find("$utm_hit").props.$utm_source).toBe("spring");
    expect(find("$session_start").page.referrer).toBe("https://search.example/");
    expect(find("$page_view").page.url).toBe("https://shop.example/");
  });

  test("every method of the tracker can be called and returns a promise of its result", async () => {
    const stub = (await pasteStub()) as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    const id = stub.track!("Seen");
    const flushed = stub.flush!();
    const signedIn = stub.auth!("user", "hash");
    const kept = methodsOf(stub);
    expect(methodsOf(await loadScript())).toEqual(kept);
    await pass(300);
    await expect(flushed).resolves.toBeUndefined();
    await expect(signedIn).resolves.toEqual({ ok: true });
    await expect(id).resolves.toBe(find("Seen").id);
  });

  test("promises resolve although the script never comes", async () => {
    const done = vi.fn();
    void (await pasteStub()).flush().then(done);
    await pass(5000);
    expect(done).toHaveBeenCalledOnce();
  });

  test("a method that was taken from the stub goes on working", async () => {
    const { track } = await pasteStub();
    const kept = page().tracker;
    expect(await loadScript()).toBe(kept);
    track("Late");
    await pass(300);
    expect(collector.names()).toEqual([...LANDING, "Late"]);
  });

  test("a stub that is pasted twice keeps the calls of both", async () => {
    (await pasteStub()).track("First");
    (await pasteStub()).track("Second");
    await loadScript();
    await pass(300);
    expect(collector.names()).toEqual([...LANDING, "First", "Second"]);
  });
});
