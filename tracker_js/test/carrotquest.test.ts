import { beforeEach, expect, test, vi } from "vitest";
import { collector, pass, runScript, setDocument } from "./browser";

type Method = (...args: unknown[]) => unknown;
type Api = Record<string, Method>;

const page = window as unknown as Record<string, unknown>;
const LANDING = ["$session_start", "$page_view"];
const find = (name: string) => collector.stored.find((event) => event.name === name)!;

beforeEach(() => {
  for (const name of ["tracker", "carrotquest", "carrotquestasync", "dashly", "dashlyasync"]) {
    Reflect.deleteProperty(window, name);
  }
});

/** Does what the other product's snippet does: methods that push their name and their arguments. */
const pasteSnippet = (name = "carrotquest"): Api => {
  const queue: unknown[] = [];
  const api: Api = {};
  for (const method of ["connect", "track", "identify", "auth", "onReady", "addCallback", "removeCallback"]) {
    api[method] = function () {
      return queue.push(method, arguments);
    };
  }
  Object.assign(page, { [name]: api, [`${name}async`]: queue });
  return api;
};

const loadShim = async (src = "https://t.example/carrotquest.js", site?: string): Promise<void> => {
  const script = document.createElement("script");
  Object.defineProperty(script, "src", { value: src });
  if (site) script.dataset.site = site;
  setDocument("currentScript", script);
  await runScript("carrotquest.js");
  setDocument("currentScript", null);
};

test("queued and later calls drive the tracker, in their order", async () => {
  const early = pasteSnippet();
  const { track } = early;
  const ready = vi.fn();
  early.connect!("123-abc");
  early.track!("First", { step: 1 });
  early.identify!([{ op: "add", key: "visits", value: 1 }]);
  early.onReady!(ready);
  await loadShim();
  (page.carrotquest as Api).track!("Second");
  track!("Third"); // a method that was kept before the script came
  await pass(2000);
  expect(page.carrotquest).toBe(early);
  expect(ready).toHaveBeenCalledTimes(1);
  expect(collector.names()).toEqual([...LANDING, "First", "$identify", "Second", "Third"]);
  expect(find("First").props).toEqual({ step: 1 });
  expect(find("$identify").props).toEqual({ operations: [{ op: "add", key: "visits", value: 1 }] });
});

test.each([
  ["its own address", "https://t.example/carrotquest.js?site=shop", undefined, "shop"],
  ["its tag", "https://t.example/carrotquest.js?site=shop", "outlet", "outlet"],
  ["neither", "https://t.example/carrotquest.js", undefined, "default"],
])("the site is named by %s", async (_, src, site, expected) => {
  await loadShim(src, site);
  await pass(300);
  expect(collector.requests[0]!.beacon.site).toBe(expected);
  expect(collector.requests[0]!.url).toBe("https://t.example/collect");
});

test("event_tracked is told of accepted events until the callback is removed", async () => {
  await loadShim();
  const api = page.carrotquest as Api;
  const told: string[] = [];
  const callback = ({ event }: { event: string }) => told.push(event);
  collector.refuse.set("Refused", "no");
  api.addCallback!("event_tracked", callback);
  api.addCallback!("messenger_opened", callback);
  api.track!("Kept");
  api.track!("Refused");
  await pass(2000);
  expect(told).toEqual([...LANDING, "Kept"]);
  api.removeCallback!("event_tracked", callback);
  api.track!("Later");
  await pass(2000);
  expect(told.length).toBe(3);
});

test("interactions with messages are events, the chat's methods do nothing", async () => {
  await loadShim();
  const api = page.carrotquest as Api;
  api.trackMessageInteraction!("m1", "clicked");
  api.trackMessageInteraction!("m1", "invented");
  api.open!();
  api.connect!("again");
  await pass(2000);
  expect(collector.names()).toEqual([...LANDING, "$message_clicked"]);
  expect(find("$message_clicked").props).toEqual({ $message_id: "m1" });
});

test("what waits for readiness is called again when somebody signs in, not when the same one does again", async () => {
  await loadShim();
  const api = page.carrotquest as Api;
  const ready = vi.fn();
  api.onReady!(ready);
  const signIn = async (user: string) => {
    const result = api.auth!(user, "hash");
    await pass(2000);
    return result;
  };
  expect(await signIn("42")).toEqual({ ok: true });
  await signIn("42");
  expect(ready).toHaveBeenCalledTimes(2);
  collector.refuse.set("$auth", "wrong_hash");
  expect(await signIn("43")).toEqual({ ok: false, reason: "wrong_hash" });
  expect(ready).toHaveBeenCalledTimes(2);
});

test("a page of Dashly's is taken over too, and only its own name is made", async () => {
  pasteSnippet("dashly").track!("First");
  await loadShim();
  await pass(300);
  expect(collector.names()).toEqual([...LANDING, "First"]);
  expect(page.dashlyasync).toBeDefined();
});

test("a queue with an unknown or broken entry loses nothing else", async () => {
  pasteSnippet();
  (page.carrotquestasync as unknown[]).push("oth", ["x"], "constructor", [], "track", ["Kept"], "track");
  await loadShim();
  await pass(300);
  expect(collector.names()).toEqual([...LANDING, "Kept"]);
});

test("the ready event is dispatched", async () => {
  const ready = vi.fn();
  document.addEventListener("cqReady", ready, { once: true });
  await loadShim();
  expect(ready).toHaveBeenCalledTimes(1);
});
