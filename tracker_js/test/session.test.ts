import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import type { TrackedEvent } from "../src/types";
import { collector, hide, leave, limitStorage, openPage, type Page, pass, show, START_MS } from "./browser";

const MINUTE_MS = 60_000;
const STORED = "footfall.default.session";

const starts = () => collector.stored.filter(({ name }) => name === "$session_start");
const sessionsOf = (name: string) =>
  collector.stored.filter((event) => event.name === name).map((event) => event.session_id);

/** Each session has one start, which is its first event; nothing is without a session. */
const expectSoundSessions = (events: TrackedEvent[]) => {
  const known = new Set<string>();
  for (const { name, id, session_id } of events) {
    if (name === "$session_start") {
      expect(known.has(session_id)).toBe(false);
      expect(id).toBe(session_id);
      known.add(session_id);
    } else {
      expect(known.has(session_id)).toBe(true);
    }
  }
};

describe("a session", () => {
  test("starts with the first event and carries its page", async () => {
    await openPage({ referrer: "https://search.example/?q=bike" });
    await pass(300);
    const [start, view] = collector.stored;
    expect(start).toMatchObject({
      name: "$session_start",
      time: new Date(START_MS).toISOString(),
      page: { referrer: "https://search.example/?q=bike" },
    });
    expect(view!.session_id).toBe(start!.session_id);
    expect(start!.id < view!.id).toBe(true);
  });

  test("has an id before its first event's, also when the clock ticks between time and id", async () => {
    let now_ms = START_MS;
    const ticking = vi.spyOn(Date, "now").mockImplementation(() => now_ms++);
    await openPage();
    ticking.mockRestore();
    await pass(300);
    const [start, view] = collector.stored;
    expect(start!.id < view!.id).toBe(true);
    expect(start!.time).toBe(view!.time);
  });

  test("is told on its topic, once", async () => {
    const { tracker } = await openPage({ options: { disable: "page_view" } });
    const told = vi.fn();
    tracker.on("session", told);
    tracker.track("One");
    tracker.track("Two");
    await pass(300);
    const { session_id } = collector.stored[0]!;
    expect(told.mock.calls).toEqual([[{ session_id, visitor_id: collector.requests[0]!.beacon.visitor_id }]]);
  });

  test("is shared by tabs and by later pages", async () => {
    const first = await openPage();
    const second = await openPage();
    first.tracker.track("Seen");
    leave(second);
    await openPage();
    await pass(2000);
    expect(starts().length).toBe(1);
    expect(new Set(collector.stored.map((event) => event.session_id)).size).toBe(1);
  });

  test.each([
    [30 * MINUTE_MS, 1],
    [30 * MINUTE_MS + 1, 2],
  ])("lasts 30 minutes after the last event: %d ms make %d", async (pause_ms, count) => {
    const { tracker } = await openPage();
    await pass(pause_ms);
    tracker.track("Later");
    await pass(2000);
    expect(starts().length).toBe(count);
    expectSoundSessions(collector.stored);
  });

  test("is extended by each event", async () => {
    const { tracker } = await openPage();
    for (let count = 0; count < 5; count++) {
      await pass(29 * MINUTE_MS);
      tracker.track("Still here");
    }
    await pass(2000);
    expect(starts().length).toBe(1);
  });

  test.each(["pointermove", "pointerdown", "keydown", "scroll"])("is extended by %s", async (type) => {
    const { tracker } = await openPage();
    await pass(29 * MINUTE_MS);
    document.body.dispatchEvent(new Event(type));
    await pass(29 * MINUTE_MS);
    tracker.track("Still here");
    await pass(2000);
    expect(starts().length).toBe(1);
  });

  test("is extended by showing the tab, not by hiding it", async () => {
    const { tracker } = await openPage();
    await pass(20 * MINUTE_MS);
    hide();
    await pass(9 * MINUTE_MS);
    show();
    await pass(29 * MINUTE_MS);
    hide();
    tracker.track("In the background");
    await pass(20 * MINUTE_MS);
    hide();
    await pass(11 * MINUTE_MS);
    show();
    tracker.track("Back");
    await pass(2000);
    expect(sessionsOf("In the background")).toEqual([starts()[0]!.id]);
    expect(sessionsOf("Back")).toEqual([starts()[1]!.id]);
  });

  test("is not revived by activity after its end", async () => {
    const { tracker } = await openPage();
    await pass(31 * MINUTE_MS);
    document.body.dispatchEvent(new Event("scroll"));
    tracker.track("Back");
    await pass(2000);
    expect(starts().length).toBe(2);
  });

  test("writes activity to storage at most once a second", async () => {
    await openPage();
    await pass(2000);
    const values = new Set<string>();
    for (let count = 0; count < 100; count++) {
      await pass(20);
      document.body.dispatchEvent(new Event("scroll"));
      values.add(localStorage[STORED]);
    }
    expect(values.size).toBeLessThanOrEqual(3);
  });

  test("is looked up at most once a second while the pointer moves", async () => {
    await openPage();
    await pass(2000);
    const read = vi.spyOn(JSON, "parse");
    for (let count = 0; count < 100; count++) {
      await pass(20);
      document.body.dispatchEvent(new Event("pointermove"));
    }
    expect(read.mock.calls.length).toBeLessThanOrEqual(3);
  });

  test("starts after a logout in the same millisecond, also by the order of ids", async () => {
    const { tracker } = await openPage();
    tracker.logout();
    tracker.track("Next");
    await pass(2000);
    const sorted = [...collector.stored].sort((one, other) => (one.id < other.id ? -1 : 1));
    expect(sorted.map(({ name }) => name)).toEqual([
      "$session_start",
      "$page_view",
      "$logout",
      "$session_start",
      "Next",
    ]);
  });

  test("lasts as long as the page says", async () => {
    const { tracker } = await openPage({ options: { sessionMinutes: "5" } });
    await pass(6 * MINUTE_MS);
    tracker.track("Later");
    await pass(2000);
    expect(starts().length).toBe(2);
  });

  test("goes on over midnight", async () => {
    vi.setSystemTime(Date.UTC(2026, 10, 23, 23, 50));
    const { tracker } = await openPage();
    await pass(20 * MINUTE_MS);
    tracker.track("Tomorrow");
    await pass(2000);
    expect(starts().length).toBe(1);
  });

  test("starts once when five tabs wake up together without seeing each other", async () => {
    const tabs = [];
    for (let count = 0; count < 5; count++) tabs.push(await openPage());
    await pass(31 * MINUTE_MS);
    const before = localStorage[STORED];
    for (const { tracker } of tabs) {
      localStorage[STORED] = before; // what another process wrote is not yet visible
      tracker.track("Back");
    }
    await pass(5000);
    expect(starts().length).toBe(2);
    expect(new Set(sessionsOf("Back"))).toEqual(new Set([starts()[1]!.id]));
  });

  test.each([
    ["5"],
    ['["a"]'],
    [`["a",${START_MS}]`],
    ['["a","b","c"]'],
    ["{}"],
    ["no JSON"],
    ["[null,null,null]"],
  ])("starts anew when what is stored is damaged: %s", async (text) => {
    localStorage[STORED] = text;
    await openPage();
    await pass(300);
    expect(collector.names()).toEqual(["$session_start", "$page_view"]);
    expectSoundSessions(collector.stored);
  });

  test("is left out where the page says so, and still has its id", async () => {
    await openPage({ options: { disable: "session_start" } });
    await pass(300);
    expect(collector.names()).toEqual(["$page_view"]);
    expect(collector.stored[0]!.session_id).toMatch(/^[\da-f-]{36}$/);
  });
});

type Step = { tab: number; pause_ms: number; jump_ms: number; act: "event" | "scroll" | "hide" | "show" };

const step: fc.Arbitrary<Step> = fc.record({
  tab: fc.nat(4),
  pause_ms: fc.oneof(fc.nat(5000), fc.nat(40 * MINUTE_MS)),
  jump_ms: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: -3 * 864e5, max: 3 * 864e5 })),
  act: fc.constantFrom("event", "event", "event", "scroll", "hide", "show"),
});

test.each([5, 1])("sessions are sound whatever %d tabs, pauses and clocks do", async (count) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      Object.assign(globalThis, { localStorage: {} });
      vi.setSystemTime(START_MS);
      const written: TrackedEvent[] = [];
      const tabs: Page[] = [];
      for (let index = 0; index < count; index++) {
        const page = await openPage({ options: { disable: "page_view" } });
        page.tracker.on("event", (event) => void written.push({ ...event }));
        tabs.push(page);
      }
      for (const { tab, pause_ms, jump_ms, act } of steps) {
        await pass(pause_ms);
        vi.setSystemTime(Date.now() + jump_ms);
        if (act === "event") tabs[tab % count]!.tracker.track("Seen");
        else if (act === "scroll") document.body.dispatchEvent(new Event("scroll"));
        else if (act === "hide") hide();
        else show();
      }
      expectSoundSessions(written);
      tabs.forEach((page) => page.kill());
    }),
    { numRuns: 60 },
  );
});

test("works in memory where storage is forbidden", async () => {
  limitStorage("forbidden");
  const { tracker } = await openPage();
  await pass(31 * MINUTE_MS);
  tracker.track("Back");
  await pass(2000);
  expect(collector.names()).toEqual(["$session_start", "$page_view", "$session_start", "Back"]);
});

test("is another one for who comes after a logout on another subdomain, whose storage is its own", async () => {
  await openPage({ url: "https://shop.example.test/" });
  await pass(2000);
  const shop = localStorage;
  vi.stubGlobal("localStorage", {});
  const account = await openPage({ url: "https://account.example.test/" });
  account.tracker.logout();
  await pass(2000);
  vi.stubGlobal("localStorage", shop);
  const known = collector.stored.length;
  await openPage({ url: "https://shop.example.test/again" });
  await pass(2000);
  const [start, view] = collector.stored.slice(known);
  expect([start!.name, view!.name]).toEqual(["$session_start", "$page_view"]);
  expect(view!.session_id).toBe(start!.id);
});
