import { describe, expect, test, vi } from "vitest";
import {
  IS_SHIPPED,
  collector,
  keysInStorage,
  limitStorage,
  openPage,
  pass,
  setNavigator,
  START_MS,
} from "./browser";

const LANDING = ["$session_start", "$page_view"];
const find = (name: string) => collector.stored.filter((event) => event.name === name);

describe("track", () => {
  test("returns the event's id and records time, session, page and properties", async () => {
    const { tracker } = await openPage({ url: "https://shop.example/bikes#top" });
    await pass(2000);
    const id = tracker.track("Bell rung", { loud: true, list: [1, 2], none: null });
    await pass(2000);
    expect(find("Bell rung")).toEqual([
      {
        id,
        name: "Bell rung",
        time: new Date(START_MS + 2000).toISOString(),
        session_id: find("$session_start")[0]!.session_id,
        page: { url: "https://shop.example/bikes", title: "A page", referrer: "" },
        props: { loud: true, list: [1, 2], none: null },
      },
    ]);
  });

  test("keeps the properties as they were at the call", async () => {
    const { tracker } = await openPage();
    const props = { step: 1, deep: { step: 1 } };
    tracker.track("Step", props);
    props.step = props.deep.step = 2;
    await pass(300);
    expect(find("Step")[0]!.props).toEqual({ step: 1, deep: { step: 1 } });
  });

  test.each<[string, () => unknown]>([
    [
      "a circle",
      () => {
        const circle: Record<string, unknown> = {};
        circle.self = circle;
        return circle;
      },
    ],
    ["a bigint", () => ({ big: 1n })],
    [
      "a getter that throws",
      () => ({
        toJSON() {
          throw new Error("no");
        },
      }),
    ],
  ])("reports an event that is no JSON and goes on: %s", async (_, make) => {
    const { tracker, drops } = await openPage();
    expect(() => tracker.track("Bad", { deep: make() })).not.toThrow();
    tracker.track("Good");
    await pass(300);
    expect(drops.map(({ event, reason }) => [event.name, reason])).toEqual([["Bad", "not_json"]]);
    expect(collector.names()).toEqual([...LANDING, "Good"]);
  });

  test.each([null, undefined, 5, "text", true])("never throws, whatever it is given: %j", async (value) => {
    const { tracker } = await openPage();
    expect(() => tracker.track(value as never, value as never)).not.toThrow();
    expect(() => tracker.set(value as never)).not.toThrow();
    expect(() => tracker.identify(value as never)).not.toThrow();
    expect(() => tracker.on(value as never, value as never)).not.toThrow();
    expect(() => tracker.onReady(value as never)).not.toThrow();
    tracker.track("Good");
    await pass(300);
    expect(find("Good").length).toBe(1);
  });

  test("caps a runaway loop: a hundred at once, then ten a second", async () => {
    const { tracker, drops } = await openPage({ options: { disable: "page_view" } });
    for (let count = 0; count < 500; count++) tracker.track("Loop");
    expect(drops.length).toBe(400);
    await pass(2000);
    for (let count = 0; count < 500; count++) tracker.track("Loop");
    expect(drops.length).toBe(880);
    expect(new Set(drops.map(({ reason }) => reason))).toEqual(new Set(["rate_limited"]));
  });

  test("is not stopped by a clock that is set back", async () => {
    const { tracker, drops } = await openPage();
    vi.setSystemTime(START_MS - 10 * 864e5);
    tracker.track("Seen");
    expect(drops).toEqual([]);
  });
});

test("set adds properties to every later event but not to operations", async () => {
  const { tracker } = await openPage();
  tracker.set({ plan: "pro", step: 1 });
  tracker.track("Seen", { step: 2 });
  tracker.identify({ $name: "Ann" });
  await pass(300);
  expect(find("Seen")[0]!.props).toEqual({ plan: "pro", step: 2 });
  expect(find("$identify")[0]!.props).toEqual({
    operations: [{ op: "update_or_create", key: "$name", value: "Ann" }],
  });
});

test("identify takes operations as they are, in order", async () => {
  const { tracker } = await openPage();
  const operations = [
    { op: "add", key: "visits", value: 1 },
    { op: "delete", key: "old" },
  ] as const;
  tracker.identify(operations);
  await pass(300);
  expect(find("$identify")[0]!.props).toEqual({ operations });
});

describe("auth", () => {
  test("is told as verified, records the sign-in and names the user from then on", async () => {
    const { tracker } = await openPage();
    const result = tracker.auth(42, "hash");
    await pass(300);
    await expect(result).resolves.toEqual({ ok: true });
    tracker.track("Later");
    await pass(2000);
    expect(find("$auth")[0]!.props).toEqual({ user_id: "42", hash: "hash" });
    expect(collector.names()).toEqual([...LANDING, "$auth", "$authorized", "Later"]);
    expect(collector.requests.at(-1)!.beacon.user_id).toBe("42");
    expect(collector.requests[0]!.beacon.user_id).toBeNull();
  });

  test("records the sign-in once although each page says who it is", async () => {
    for (let count = 0; count < 3; count++) {
      const { tracker, kill } = await openPage();
      void tracker.auth("user", "hash");
      await pass(2000);
      kill();
    }
    expect(find("$authorized").length).toBe(1);
  });

  test("says why it was refused and changes nothing", async () => {
    const { tracker } = await openPage();
    collector.refuse.set("$auth", "wrong_hash");
    const result = tracker.auth("user", "bad");
    await pass(300);
    await expect(result).resolves.toEqual({ ok: false, reason: "wrong_hash" });
    tracker.track("Later");
    await pass(2000);
    expect(find("$authorized")).toEqual([]);
    expect(collector.requests.at(-1)!.beacon.user_id).toBeNull();
  });

  test("says so when another tab's request was refused", async () => {
    const first = await openPage();
    const second = await openPage();
    collector.refuse.set("$auth", "wrong_hash");
    setNavigator("locks", { request: () => new Promise(() => {}) });
    const result = first.tracker.auth("user", "bad");
    setNavigator("locks", undefined);
    await pass(1);
    void second.tracker.flush();
    await pass(5000);
    await expect(result).resolves.toEqual({ ok: false, reason: "wrong_hash" });
  });

  test("is pending when the server does not answer in time", async () => {
    const { tracker } = await openPage();
    collector.behave = () => 503;
    const result = tracker.auth("user", "hash");
    await pass(5000);
    await expect(result).resolves.toEqual({ ok: false, reason: "pending" });
  });

  test("says nothing about who came after a logout", async () => {
    const { tracker } = await openPage();
    await pass(2000);
    const result = tracker.auth("anna", "hash");
    tracker.logout();
    await pass(5000);
    await expect(result).resolves.toEqual({ ok: true });
    tracker.track("Later");
    await pass(2000);
    expect(collector.requests.at(-1)!.beacon.user_id).toBeNull();
    expect(collector.names()).not.toContain("$authorized");
  });

  test("never rejects, not even for an id that is no text", async () => {
    const { tracker } = await openPage();
    collector.refuse.set("$auth", "wrong_type");
    const result = tracker.auth(Object.create(null) as never, "hash");
    await pass(5000);
    await expect(result).resolves.toEqual({ ok: false, reason: "wrong_type" });
  });

  test("is dropped without consent", async () => {
    const { tracker } = await openPage({ options: { consent: "required" } });
    const result = tracker.auth("user", "hash");
    await pass(5000);
    await expect(result).resolves.toEqual({ ok: false, reason: "dropped" });
  });
});

test("logout is the last event of one visitor; what follows is another's, in a session of its own", async () => {
  const { tracker } = await openPage();
  void tracker.auth("user", "hash");
  await pass(2000);
  tracker.logout();
  await pass(10);
  tracker.track("Later");
  await pass(2000);
  expect(collector.names()).toEqual([
    ...LANDING,
    "$auth",
    "$authorized",
    "$logout",
    "$session_start",
    "Later",
  ]);
  const ids = collector.requests.map(({ beacon }) => [beacon.visitor_id, beacon.user_id]);
  const [visitor, user] = ids.at(-2)!;
  expect([visitor, user]).toEqual([ids[0]![0], "user"]);
  expect(ids.at(-1)![0]).not.toBe(visitor);
  expect(ids.at(-1)![1]).toBeNull();
  expect(new Set(collector.stored.map(({ session_id }) => session_id)).size).toBe(2);
});

test("logout without consent stores nothing", async () => {
  const { tracker } = await openPage({ options: { consent: "required" } });
  tracker.logout();
  expect(keysInStorage()).toEqual([]);
});

describe("topics", () => {
  test("event lets listeners change and veto", async () => {
    const { tracker, drops } = await openPage();
    tracker.on("event", (event) => {
      event.props.seen = true;
      return event.name !== "Secret";
    });
    tracker.track("Secret");
    tracker.track("Open");
    await pass(300);
    expect(collector.names()).toEqual([...LANDING, "Open"]);
    expect(find("Open")[0]!.props).toEqual({ seen: true });
    expect(drops.map(({ event, reason }) => [event.name, reason])).toEqual([["Secret", "vetoed"]]);
  });

  test("a listener that changes the id or throws does no harm", async () => {
    const { tracker } = await openPage();
    tracker.on("event", (event) => {
      event.id = "mine";
      throw new Error("no");
    });
    const told = vi.fn();
    tracker.on("event", told);
    const id = tracker.track("Seen");
    await pass(300);
    expect(find("Seen")[0]!.id).toBe(id);
    expect(told).toHaveBeenCalledOnce();
  });

  test("off ends listening, for this listener of this topic", async () => {
    const { tracker } = await openPage();
    const [one, other] = [vi.fn(), vi.fn()];
    tracker.on("event", one);
    tracker.on("sent", one);
    tracker.on("event", other);
    tracker.off("event", one);
    tracker.track("Seen");
    expect([one.mock.calls.length, other.mock.calls.length]).toEqual([0, 1]);
    await pass(300);
    expect(one).toHaveBeenCalledOnce();
  });
});

test("onReady calls back", async () => {
  const { tracker } = await openPage();
  const called = vi.fn();
  tracker.onReady(called);
  expect(called).toHaveBeenCalledOnce();
});

test("prints nothing, but for debug, which prints events, drops and faults", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const { tracker } = await openPage();
  tracker.track("Quiet", { big: 1n });
  tracker.onReady(undefined as never);
  expect(log).not.toHaveBeenCalled();
  tracker.debug(true);
  tracker.track("Loud");
  tracker.track("Bad", { big: 1n });
  tracker.onReady(undefined as never);
  expect(log.mock.calls.map((call) => call.slice(0, 2).join(" "))).toEqual([
    "tracker event",
    "tracker event",
    "tracker fault",
    "tracker drop",
    "tracker fault",
  ]);
  tracker.debug(false);
  tracker.track("Quiet");
  expect(log).toHaveBeenCalledTimes(5);
});

test("says in debug that it works in memory", async () => {
  limitStorage("forbidden");
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const { tracker } = await openPage();
  tracker.debug(true);
  expect(log.mock.calls).toEqual([["tracker", "fault", "storage"]]);
});

describe("the beacon", () => {
  test("goes to collect beside the script, or to the server that the page names", async () => {
    const { setBase, post } = await import("../src/transport");
    const requested = vi.fn().mockRejectedValue(new Error("offline"));
    vi.stubGlobal("fetch", requested);
    const urls: unknown[] = [];
    for (const [script, api] of [
      ["https://t.example/tracker.js"],
      ["https://t.example/t/tracker.1234.js?x"],
      ["https://t.example/tracker.js", "https://c.example"],
      ["https://t.example/tracker.js", "https://c.example/"],
      ["https://t.example/tracker.js", "https://c.example/f"],
      ["https://t.example/a/tracker.js", "/f/"],
    ] as const) {
      setBase(script, api);
      await post(new Blob(), true);
      urls.push(requested.mock.lastCall![0]);
    }
    expect(urls).toEqual([
      "https://t.example/collect",
      "https://t.example/t/collect",
      "https://c.example/collect",
      "https://c.example/collect",
      "https://c.example/f/collect",
      "https://t.example/f/collect",
    ]);
  });

  test("tells about the device, with hints once the browser has given them", async () => {
    const found = { platformVersion: "15.0.0", model: "" };
    const ask = vi.fn().mockResolvedValue(found);
    setNavigator("userAgentData", { getHighEntropyValues: ask });
    await openPage();
    await pass(300);
    expect(ask.mock.calls).toEqual([[["model", "platformVersion", "fullVersionList", "formFactors"]]]);
    expect(collector.requests[0]!.beacon.context).toEqual({
      resolution: "1024x768",
      language: navigator.language,
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      touch_points: navigator.maxTouchPoints,
      hints: found,
      webdriver: false,
    });
  });

  test.each([
    ["refused", () => Promise.reject(new Error("policy"))],
    ["never given", () => new Promise(() => {})],
    [
      "broken",
      () => {
        throw new Error("no");
      },
    ],
  ])("does not wait for hints: %s", async (_, getHighEntropyValues) => {
    setNavigator("userAgentData", { getHighEntropyValues });
    await openPage();
    await pass(300);
    expect(collector.requests[0]!.beacon.context).not.toHaveProperty("hints");
    setNavigator("userAgentData", undefined);
  });

  test("says that a program drives the browser", async () => {
    setNavigator("webdriver", true);
    await openPage();
    await pass(300);
    expect(collector.requests[0]!.beacon.context.webdriver).toBe(true);
  });

  test("says when it was sent", async () => {
    await openPage();
    await pass(300);
    expect(collector.requests[0]!.beacon.sent_at).toBe(new Date(START_MS + 250).toISOString());
  });
});

test.skipIf(IS_SHIPPED)("starting twice starts once", async () => {
  const { start } = await import("../src/module");
  const { tracker } = await openPage();
  const again = (await import("../src/module")).start({ api: "https://tracker.example" });
  await pass(300);
  expect(again).toBe(tracker);
  expect(start).not.toBe(undefined);
  expect(collector.names()).toEqual(LANDING);
});

test("leaves no key behind but visitor, session and wait", async () => {
  await openPage();
  await pass(300);
  expect(keysInStorage().sort()).toEqual([
    "footfall.default.session",
    "footfall.default.visitor",
    "footfall.default.wait",
  ]);
});
