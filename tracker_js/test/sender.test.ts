import { describe, expect, test, vi } from "vitest";
import {
  collector,
  hide,
  keysInStorage,
  leave,
  limitStorage,
  openPage,
  pass,
  setNavigator,
  show,
} from "./browser";
import type { Behaviour } from "./collector";

const LANDING = ["$session_start", "$page_view"];
/** Longer than any pause before a batch. */
const SOON_MS = 1500;

/** A page whose landing events have been answered. */
const openSettledPage = async () => {
  const page = await openPage();
  await pass(SOON_MS);
  collector.requests.length = 0;
  return page;
};

const failUntil = (time_ms: number, behaviour: Behaviour) => {
  collector.behave = () => (Date.now() < time_ms ? behaviour : 200);
};

/** Web Locks of one browser, shared by all tabs. */
const createLocks = () => {
  let tail: Promise<unknown> = Promise.resolve();
  return {
    request: (_: string, work: () => Promise<unknown>) => {
      const result = tail.then(work);
      tail = result.catch(() => {});
      return result;
    },
  };
};

describe("batches", () => {
  test("a short pause collects the events of one landing into one request", async () => {
    await openPage();
    await pass(249);
    expect(collector.requests).toEqual([]);
    await pass(1);
    expect(collector.requests.length).toBe(1);
    expect(collector.names()).toEqual(LANDING);
  });

  test("a steady flow of five events a second takes at most a request for every five", async () => {
    const { tracker } = await openSettledPage();
    for (let count = 0; count < 50; count++) {
      tracker.track("Tick");
      await pass(200);
    }
    await pass(SOON_MS);
    expect(collector.names().length).toBe(52);
    expect(collector.requests.length).toBeLessThanOrEqual(10);
  });

  test("keeps the order of calls", async () => {
    const { tracker } = await openPage();
    const names = Array.from({ length: 90 }, (_, index) => `Event ${index}`);
    names.forEach((name) => tracker.track(name));
    await pass(SOON_MS);
    expect(collector.names()).toEqual([...LANDING, ...names]);
  });

  test("nothing runs once everything is answered", async () => {
    await openSettledPage();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a burst larger than what may outlive a page goes in several requests", async () => {
    const { tracker } = await openSettledPage();
    for (let count = 0; count < 10; count++) tracker.track("Big", { text: "x".repeat(10_000) });
    await pass(SOON_MS);
    expect(collector.names().length).toBe(12);
    expect(collector.requests.length).toBe(2);
    expect(collector.requests.every(({ body }) => body.length < 65_536)).toBe(true);
  });

  test("an event larger than what may outlive a page goes alone, and the second time without keepalive", async () => {
    const { tracker } = await openSettledPage();
    collector.behave = ({ keepalive, body }) => (keepalive && body.length > 65_536 ? "lost" : 200);
    tracker.track("Huge", { text: "x".repeat(70_000) });
    tracker.track("Small");
    await pass(9000);
    expect(collector.requests.map(({ keepalive, beacon }) => [keepalive, beacon.events.length])).toEqual([
      [true, 1],
      [false, 1],
      [true, 1],
    ]);
    expect(collector.names().slice(-2)).toEqual(["Huge", "Small"]);
  });
});

describe("answers", () => {
  test("an accepted batch leaves the queue and is told", async () => {
    const { sent } = await openPage();
    await pass(SOON_MS);
    expect(keysInStorage().filter((key) => key.includes("queue"))).toEqual([]);
    expect(sent.length).toBe(1);
    expect(sent[0]!.events.map(({ name }) => name)).toEqual(LANDING);
    expect(sent[0]!.answer).toEqual({ accepted: 2, duplicate: 0, rejected: [], warnings: [] });
  });

  test("a rejected event is reported with its code and leaves; its neighbours are stored", async () => {
    const { tracker, drops } = await openSettledPage();
    collector.refuse.set("Bad", "bad_props");
    tracker.track("Good");
    tracker.track("Bad");
    tracker.track("Better");
    await pass(SOON_MS);
    expect(collector.names()).toEqual([...LANDING, "Good", "Better"]);
    expect(drops.map(({ event, reason }) => [event.name, reason])).toEqual([["Bad", "bad_props"]]);
    await pass(60_000);
    expect(collector.requests.length).toBe(1);
  });

  test("an answer without lists of rejections counts as accepted", async () => {
    collector.behave = () => ({ status: 200, body: '{"accepted":2}' });
    const { sent } = await openPage();
    await pass(SOON_MS);
    expect([sent.length, collector.requests.length]).toEqual([1, 1]);
  });

  test.each([
    ["400 with a code", { status: 400, body: '{"error":{"code":"bad_json"}}' }, "bad_json"],
    ["401", { status: 401, body: "<html>" }, "http_401"],
    ["404", 404, "http_404"],
    ["413 of a single event", 413, "http_413"],
  ])("drops the batch for good: %s", async (_, behaviour, reason) => {
    const { tracker, drops } = await openSettledPage();
    collector.behave = () => behaviour;
    tracker.track("Refused");
    await pass(60_000);
    expect(collector.requests.length).toBe(1);
    expect(drops.map((drop) => [drop.event.name, drop.reason])).toEqual([["Refused", reason]]);
  });

  test("413 halves the batch until it fits, loses nothing and keeps the order", async () => {
    const { tracker, drops } = await openSettledPage();
    collector.behave = ({ beacon }) => (beacon.events.length > 3 ? 413 : 200);
    const names = Array.from({ length: 20 }, (_, index) => `Event ${index}`);
    names.forEach((name) => tracker.track(name));
    await pass(60_000);
    expect(collector.names()).toEqual([...LANDING, ...names]);
    expect(drops).toEqual([]);
  });
});

describe("retries", () => {
  test.each<[string, Behaviour]>([
    ["408", 408],
    ["429", 429],
    ["500", 500],
    ["503", 503],
    ["a broken connection", "lost"],
    ["an answer that got lost", "cut"],
    ["a captive portal's page", { status: 200, body: "<html>Log in</html>" }],
    ["a verdict without a count", { status: 200, body: "{}" }],
  ])("after %s the same events are sent again, without a new event", async (_, behaviour) => {
    const { tracker, drops } = await openSettledPage();
    failUntil(Date.now() + 1000, behaviour);
    const id = tracker.track("Kept");
    await pass(10_000);
    expect(collector.stored.filter((event) => event.id === id).length).toBe(1);
    expect(collector.requests.length).toBe(2);
    expect(drops).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a request that never ends, for all its signal says, is given up and sent again", async () => {
    const { tracker } = await openSettledPage();
    failUntil(Date.now() + 1000, "hang");
    tracker.track("Kept");
    await pass(29_000);
    expect(collector.requests.length).toBe(1);
    await pass(10_000);
    expect(collector.names()).toEqual([...LANDING, "Kept"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([0, 0.5, 0.999])(
    "an outage of 20 s takes at most 12 requests and ends within 5 s (%d)",
    async (luck) => {
      const { tracker } = await openSettledPage();
      vi.spyOn(Math, "random").mockReturnValue(luck);
      failUntil(Date.now() + 20_000, "lost");
      tracker.track("Kept");
      await pass(20_000);
      expect(collector.requests.length).toBeLessThanOrEqual(luck ? 12 : 21);
      await pass(5000);
      expect(collector.names()).toEqual([...LANDING, "Kept"]);
    },
  );

  test("waits grow in a long outage", async () => {
    const { tracker } = await openSettledPage();
    collector.behave = () => 503;
    tracker.track("Kept");
    await pass(3_600_000);
    expect(collector.requests.length).toBeLessThan(50);
  });

  test.each([
    ["seconds", "7"],
    ["a date", new Date(Date.UTC(2026, 10, 23, 14, 3, 32)).toUTCString()],
  ])("nothing is sent before Retry-After is over: %s", async (_, retryAfter) => {
    const page = await openSettledPage();
    collector.behave = () => (collector.requests.length > 1 ? 200 : { status: 429, retryAfter });
    page.tracker.track("Kept");
    await pass(6900);
    page.tracker.track("Too");
    hide();
    show();
    expect(collector.requests.length).toBe(1);
    await pass(5000);
    expect(collector.names()).toEqual([...LANDING, "Kept", "Too"]);
  });

  test("another page obeys the wait and sends when it is over", async () => {
    const page = await openSettledPage();
    collector.behave = () => (collector.requests.length > 1 ? 200 : { status: 503, retryAfter: "30" });
    page.tracker.track("Kept");
    await pass(300);
    leave(page);
    await openPage();
    await pass(25_000);
    expect(collector.requests.length).toBe(1);
    await pass(10_000);
    expect(collector.names()).toEqual([...LANDING, "Kept", "$page_view"]);
  });

  test("a wait that a changed clock moved far away is forgotten", async () => {
    const page = await openSettledPage();
    failUntil(Date.now() + 400, 503);
    page.tracker.track("Kept");
    await pass(300);
    page.kill();
    vi.setSystemTime(Date.now() - 5 * 864e5);
    collector.behave = () => 200;
    await openPage();
    await pass(SOON_MS);
    expect(collector.names()).toContain("Kept");
  });

  test("coming online sends at once", async () => {
    const { tracker } = await openSettledPage();
    collector.behave = () => "lost";
    tracker.track("Kept");
    await pass(60_000);
    collector.behave = () => 200;
    window.dispatchEvent(new Event("online"));
    await pass(10);
    expect(collector.names()).toEqual([...LANDING, "Kept"]);
  });

  test("coming online does not shorten what the server asked for", async () => {
    const { tracker } = await openSettledPage();
    collector.behave = () => ({ status: 429, retryAfter: "60" });
    tracker.track("Kept");
    await pass(5000);
    window.dispatchEvent(new Event("online"));
    await pass(50_000);
    expect(collector.requests.length).toBe(1);
  });

  test("a request that is never answered is given up and repeated", async () => {
    const { tracker } = await openSettledPage();
    vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), ms);
      return controller.signal;
    });
    const answer = fetch;
    vi.stubGlobal("fetch", (url: string, init: RequestInit) =>
      Promise.race([
        answer(url, init),
        new Promise((_, reject) =>
          init.signal?.addEventListener("abort", () => reject(new Error("aborted"))),
        ),
      ]),
    );
    collector.behave = () => (collector.requests.length > 1 ? 200 : "hang");
    tracker.track("Kept");
    await pass(40_000);
    expect(collector.names()).toEqual([...LANDING, "Kept"]);
  });
});

test("a browser's first event goes in the end although it is too large to outlive a page", async () => {
  const { tracker } = await openPage({ options: { disable: "session_start,page_view" } });
  collector.behave = ({ keepalive, body }) => (keepalive && body.length > 65_536 ? "lost" : 200);
  tracker.track("Huge", { text: "x".repeat(70_000) });
  await pass(60_000);
  expect(collector.names()).toEqual(["Huge"]);
});

describe("a blocked endpoint", () => {
  test("is tried three times, then there is silence until the next page", async () => {
    collector.behave = () => "lost";
    const page = await openPage();
    await pass(600_000);
    expect(collector.requests.length).toBe(3);
    page.tracker.track("Later");
    await pass(600_000);
    leave(page);
    expect(collector.requests.length).toBe(3);
    collector.behave = () => 200;
    await openPage();
    await pass(SOON_MS);
    expect(collector.names()).toEqual([...LANDING, "Later", "$page_view"]);
  });

  test("lets flush return at once", async () => {
    collector.behave = () => "lost";
    const { tracker } = await openPage();
    await pass(60_000);
    const done = vi.fn();
    void tracker.flush().then(done);
    await pass(0);
    expect(done).toHaveBeenCalled();
  });

  test("is an outage where the browser has had an answer before", async () => {
    leave(await openSettledPage());
    collector.requests.length = 0;
    collector.behave = () => "lost";
    await openPage();
    await pass(30_000);
    expect(collector.requests.length).toBeGreaterThan(3);
  });

  test("is an outage where there was any answer, even an error", async () => {
    collector.behave = () => (collector.requests.length > 1 ? "lost" : 500);
    await openPage();
    await pass(30_000);
    expect(collector.requests.length).toBeGreaterThan(4);
  });
});

describe("leaving", () => {
  test("hands what is pending to a beacon, once for both of the browser's events", async () => {
    const page = await openPage();
    page.tracker.track("Last");
    leave(page);
    expect(collector.requests.map(({ isBeacon }) => isBeacon)).toEqual([true]);
    expect(collector.names()).toEqual([...LANDING, "Last"]);
  });

  test("keeps the copy until an answer confirms it", async () => {
    collector.behave = ({ isBeacon }) => (isBeacon ? "lost" : 200);
    const page = await openPage();
    leave(page);
    expect(collector.names()).toEqual([]);
    await openPage();
    await pass(SOON_MS);
    expect(collector.names()).toEqual([...LANDING, "$page_view"]);
  });

  test("does not repeat what is on its way", async () => {
    const page = await openPage();
    collector.behave = () => "hang";
    await pass(300);
    page.tracker.track("Last");
    leave(page);
    expect(collector.requests.map(({ isBeacon, beacon }) => [isBeacon, beacon.events.length])).toEqual([
      [false, 2],
      [true, 1],
    ]);
  });

  test("sends by beacon what is still being packed", async () => {
    vi.stubGlobal(
      "CompressionStream",
      class extends TransformStream {
        constructor() {
          super({ flush: () => new Promise(() => {}) });
        }
      },
    );
    const page = await openPage();
    await pass(300);
    expect(collector.requests).toEqual([]);
    leave(page);
    expect(collector.requests.map(({ isBeacon, beacon }) => [isBeacon, beacon.events.length])).toEqual([
      [true, 2],
    ]);
  });

  test("stays within what the browser carries beyond the page", async () => {
    const page = await openPage();
    for (let count = 0; count < 20; count++) page.tracker.track("Big", { text: "x".repeat(9000) });
    leave(page);
    const bytes = collector.requests.reduce((sum, { body }) => sum + body.length, 0);
    expect(bytes).toBeGreaterThan(50_000);
    expect(bytes).toBeLessThan(62_000);
    await openPage();
    await pass(SOON_MS);
    expect(collector.names().filter((name) => name === "Big").length).toBe(20);
  });

  test("stops at a beacon that the browser refuses", async () => {
    collector.behave = ({ isBeacon }) => (isBeacon ? "hang" : 200);
    leave(await openPage());
    expect(collector.requests.length).toBe(1);
  });

  test("a hidden page confirms by an ordinary request when it lives on", async () => {
    const { sent } = await openPage();
    hide();
    await pass(SOON_MS);
    expect(collector.requests.map(({ isBeacon }) => isBeacon)).toEqual([true, false]);
    expect(sent[0]!.answer).toMatchObject({ accepted: 0, duplicate: 2 });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("an event in a hidden page goes at once", async () => {
    const { tracker } = await openSettledPage();
    hide();
    tracker.track("In the background");
    expect(collector.names()).toEqual([...LANDING, "In the background"]);
  });

  test("during a wait of our own the beacon is tried", async () => {
    const page = await openSettledPage();
    collector.behave = ({ isBeacon }) => (isBeacon ? 200 : "lost");
    page.tracker.track("Last");
    await pass(300);
    leave(page);
    expect(collector.names()).toEqual([...LANDING, "Last"]);
  });

  test("a killed page's events are sent by the next", async () => {
    const page = await openPage();
    page.tracker.track("Last");
    page.kill();
    await openPage();
    await pass(SOON_MS);
    expect(collector.names()).toEqual([...LANDING, "Last", "$page_view"]);
  });

  test("hands over what is being repeated, which would end with the page", async () => {
    const page = await openSettledPage();
    collector.behave = () => "lost";
    page.tracker.track("Kept");
    await pass(1400);
    collector.behave = ({ isBeacon }) => (isBeacon ? 200 : "hang");
    await pass(3000);
    expect(collector.requests.at(-1)!.keepalive).toBe(false);
    leave(page);
    expect(collector.names()).toEqual([...LANDING, "Kept"]);
  });

  test("sends from a hidden page when the wait is over that another tab was told", async () => {
    const { tracker, kill } = await openSettledPage();
    collector.behave = () => ({ status: 503, retryAfter: "20" });
    tracker.track("First");
    await pass(2000);
    kill();
    collector.behave = () => 200;
    hide();
    const { tracker: other } = await openPage();
    other.track("Hidden");
    await pass(60_000);
    show();
    expect(collector.names()).toEqual(expect.arrayContaining(["First", "Hidden"]));
  });
});

describe("several tabs", () => {
  test("send each event once where there are Web Locks", async () => {
    setNavigator("locks", createLocks());
    const tabs = [await openPage(), await openPage(), await openPage()];
    for (let round = 0; round < 10; round++) {
      tabs.forEach(({ tracker }) => tracker.track("Seen"));
      await pass(100);
    }
    await pass(5000);
    const sent = collector.requests.flatMap(({ beacon }) => beacon.events.map(({ id }) => id));
    expect(sent.length).toBe(1 + 3 + 30);
    expect(new Set(sent).size).toBe(sent.length);
  });

  test("lose nothing and store nothing twice where there are none", async () => {
    const tabs = [await openPage(), await openPage()];
    tabs.forEach(({ tracker }) => tracker.track("Seen"));
    await pass(5000);
    expect(collector.names().sort()).toEqual(["$page_view", "$page_view", "$session_start", "Seen", "Seen"]);
  });

  test("send without the lock where the browser refuses it", async () => {
    setNavigator("locks", { request: () => Promise.reject(new DOMException("no", "SecurityError")) });
    await openPage();
    await pass(SOON_MS);
    expect(collector.names()).toEqual(LANDING);
  });
});

describe("flush", () => {
  test("resolves when everything was answered", async () => {
    const { tracker } = await openPage();
    tracker.track("Last");
    const done = vi.fn(() => expect(collector.names()).toEqual([...LANDING, "Last"]));
    void tracker.flush().then(done);
    await pass(10);
    expect(done).toHaveBeenCalledOnce();
  });

  test("resolves after five seconds when nothing answers", async () => {
    const { tracker } = await openSettledPage();
    collector.behave = () => 503;
    tracker.track("Kept");
    const done = vi.fn();
    void tracker.flush().then(done);
    await pass(4999);
    expect(done).not.toHaveBeenCalled();
    await pass(1);
    expect(done).toHaveBeenCalledOnce();
  });

  test("takes an event that comes while the lock is given back", async () => {
    setNavigator("locks", {
      request: async (_: string, work: () => Promise<unknown>) => {
        await work();
        await new Promise((resolve) => setTimeout(resolve, 50));
      },
    });
    const { tracker } = await openPage();
    await pass(260); // drained, but not yet given back
    tracker.track("Late");
    const done = vi.fn();
    void tracker.flush().then(done);
    await pass(1500);
    expect(collector.names()).toEqual([...LANDING, "Late"]);
    expect(done).toHaveBeenCalledOnce();
  });

  test("waits for a batch that is on its way", async () => {
    const { tracker, sent } = await openPage();
    await pass(250);
    const done = vi.fn(() => expect(sent.length).toBe(1));
    void tracker.flush().then(done);
    await pass(10);
    expect(done).toHaveBeenCalledOnce();
  });
});

test("works in memory where storage is forbidden", async () => {
  limitStorage("forbidden");
  const { tracker, drops } = await openPage();
  tracker.track("Seen");
  await pass(SOON_MS);
  expect(collector.names()).toEqual([...LANDING, "Seen"]);
  expect(drops).toEqual([]);
});
