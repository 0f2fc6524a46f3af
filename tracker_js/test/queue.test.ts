import { describe, expect, test } from "vitest";
import type { TrackedEvent } from "../src/types";
import { uuid } from "../src/uuid";
import type { Visitor } from "../src/visitor";
import { keysInStorage, limitStorage, loadModules } from "./browser";

const VISITOR: Visitor = ["01930000-0000-7000-8000-000000000001", null];
const OTHER: Visitor = ["01930000-0000-7000-8000-000000000002", null];
const NONE: ReadonlySet<string> = new Set();

const makeEvent = (changes: Partial<TrackedEvent> = {}): TrackedEvent => ({
  id: uuid(),
  name: "Seen",
  time: "2026-11-23T14:03:22.001Z",
  session_id: "01930000-0000-7000-8000-000000000003",
  page: { url: "https://shop.example/", title: "", referrer: "" },
  props: {},
  ...changes,
});

/** One tab's queue, and what it reported as dropped. */
const openQueue = async () => {
  const queue = await loadModules(() => import("../src/queue"));
  const { on } = await import("../src/topics");
  const drops: { event: TrackedEvent; reason: string }[] = [];
  on("drop", (drop: { event: TrackedEvent; reason: string }) => drops.push(drop));
  const kept: string[] = [];
  const put = (event: TrackedEvent, visitor = VISITOR) => {
    queue.putEvent(visitor, event, () => kept.push(event.id));
    return event.id;
  };
  const takeIds = (max_bytes = Infinity, skipped = NONE) =>
    queue.takeEvents(queue.listQueue(), max_bytes, skipped).map(([, event]) => event.id);
  const countQueue = () => queue.findQueued().length;
  return { ...queue, put, takeIds, countQueue, drops, kept };
};

const storedBytes = () =>
  keysInStorage().reduce((sum, key) => sum + new TextEncoder().encode(key + localStorage[key]).length, 0);

describe("put", () => {
  test("keeps the event on disk before it returns", async () => {
    const { put } = await openQueue();
    const id = put(makeEvent());
    expect(JSON.parse(localStorage[`footfall.default.queue.${id}`])[1].id).toBe(id);
  });

  test("keeps the event in memory when storage is full", async () => {
    limitStorage("full");
    const { put, takeIds, isQueued } = await openQueue();
    const id = put(makeEvent());
    expect(keysInStorage()).toEqual([]);
    expect([takeIds(), !!isQueued(id)]).toEqual([[id], true]);
  });

  test.each([
    ["not_json", { big: 1n }],
    ["too_large", { text: "x".repeat(262_144) }],
  ])("drops an event that can never be kept, and no other: %s", async (reason, props) => {
    const { put, takeIds, drops, kept } = await openQueue();
    const before = [put(makeEvent()), put(makeEvent())];
    const event = makeEvent({ props });
    put(event);
    expect(drops).toEqual([{ event, reason }]);
    expect([takeIds(), kept]).toEqual([before, before]);
  });

  test("keeps an event that fills the queue by itself", async () => {
    const { put, takeIds, drops } = await openQueue();
    put(makeEvent());
    const event = makeEvent({ props: { text: "" } });
    const key = `footfall.default.queue.${event.id}`;
    const room = 262_144 - key.length - JSON.stringify([VISITOR, event]).length;
    put({ ...event, props: { text: "x".repeat(room) } });
    expect([takeIds(), drops.map(({ reason }) => reason)]).toEqual([[event.id], ["queue_full"]]);
  });

  test("drops the oldest with a reason when the bytes of all tabs are used up", async () => {
    const first = await openQueue();
    const text = "ä".repeat(10_000);
    const ids = Array.from({ length: 10 }, () => first.put(makeEvent({ props: { text } })));
    const second = await openQueue();
    ids.push(...Array.from({ length: 10 }, () => second.put(makeEvent({ props: { text } }))));
    const kept = second.takeIds();
    const lost = second.drops.map(({ event }) => event.id);
    expect(kept.length).toBe(12);
    expect([...lost, ...kept]).toEqual(ids);
    expect(new Set(second.drops.map(({ reason }) => reason))).toEqual(new Set(["queue_full"]));
    expect(storedBytes()).toBeLessThanOrEqual(262_144);
  });

  test("never holds more than a thousand of the smallest events", async () => {
    const { put, countQueue, drops } = await openQueue();
    for (let count = 0; count < 1100; count++)
      put(makeEvent({ name: "x", page: { url: "", title: "", referrer: "" } }));
    expect(countQueue()).toBeLessThanOrEqual(1000);
    expect(countQueue() + drops.length).toBe(1100);
  });

  test("keeps within the limit when several tabs fill it at once", async () => {
    const tabs: Awaited<ReturnType<typeof openQueue>>[] = [];
    for (let count = 0; count < 8; count++) tabs.push(await openQueue());
    for (let count = 0; count < 50; count++) {
      for (const { put } of tabs) {
        put(makeEvent({ props: { text: "x".repeat(2000) } }));
        expect(storedBytes()).toBeLessThanOrEqual(262_144);
      }
    }
    const drops = tabs.flatMap((tab) => tab.drops);
    expect(tabs[0]!.countQueue() + drops.length).toBe(400);
  });

  test("does not drop for events that another tab has removed meanwhile", async () => {
    const first = await openQueue();
    const ids = Array.from({ length: 12 }, () =>
      first.put(makeEvent({ props: { text: "x".repeat(20_000) } })),
    );
    const second = await openQueue();
    ids.forEach(second.removeEvent);
    const id = first.put(makeEvent({ props: { text: "x".repeat(20_000) } }));
    expect([first.takeIds(), first.drops]).toEqual([[id], []]);
  });
});

describe("take", () => {
  test("returns events of all tabs in the order of their making, and keeps them", async () => {
    const first = await openQueue();
    const second = await openQueue();
    const ids = [first.put(makeEvent()), second.put(makeEvent()), first.put(makeEvent())];
    expect(first.takeIds()).toEqual(ids);
    expect(second.takeIds()).toEqual(ids);
  });

  test("returns one visitor's events at a time", async () => {
    const { put, takeIds, removeEvent } = await openQueue();
    const before = [put(makeEvent()), put(makeEvent())];
    const after = put(makeEvent(), OTHER);
    expect(takeIds()).toEqual(before);
    before.forEach(removeEvent);
    expect(takeIds()).toEqual([after]);
  });

  test("separates what a visitor did before and after the user was known", async () => {
    const { put, takeIds } = await openQueue();
    const before = put(makeEvent());
    put(makeEvent(), [VISITOR[0], "user 1"]);
    expect(takeIds()).toEqual([before]);
  });

  test("returns what fits, but always one", async () => {
    const { put, takeIds } = await openQueue();
    const ids = Array.from({ length: 3 }, () => put(makeEvent({ props: { text: "x".repeat(1000) } })));
    expect(takeIds(3000)).toEqual(ids.slice(0, 2));
    expect(takeIds(10)).toEqual(ids.slice(0, 1));
  });

  test("leaves out what is on its way", async () => {
    const { put, takeIds } = await openQueue();
    const ids = Array.from({ length: 3 }, () => put(makeEvent()));
    expect(takeIds(Infinity, new Set(ids.slice(1, 2)))).toEqual([ids[0], ids[2]]);
  });

  test.each([
    ["no JSON", "{"],
    ["no list", "5"],
    ["null", "null"],
    ["another event's id", JSON.stringify([VISITOR, makeEvent({ id: "other" })])],
  ])("removes a value that is no event: %s", async (_, text) => {
    const { put, takeIds } = await openQueue();
    localStorage["footfall.default.queue.0"] = text;
    const id = put(makeEvent());
    expect(takeIds()).toEqual([id]);
    expect(keysInStorage()).toEqual([`footfall.default.queue.${id}`]);
  });

  test("does not touch other keys", async () => {
    const { takeIds } = await openQueue();
    localStorage["footfall.other.queue.0"] = "{";
    localStorage["footfall.default.visitor"] = "{";
    expect(takeIds()).toEqual([]);
    expect(keysInStorage().length).toBe(2);
  });
});

describe("drop", () => {
  test("reports the event with the reason, once", async () => {
    const { put, dropEvent, drops, countQueue } = await openQueue();
    const event = makeEvent();
    put(event);
    dropEvent(event.id, "bad_name");
    dropEvent(event.id, "bad_name");
    expect([drops, countQueue()]).toEqual([[{ event, reason: "bad_name" }], 0]);
  });

  test("remembers for all tabs why a sign-in was refused", async () => {
    const first = await openQueue();
    const id = first.put(makeEvent({ name: "$auth" }));
    const second = await openQueue();
    second.dropEvent(id, "wrong_hash");
    expect(first.readAuthRefusal(id)).toBe("wrong_hash");
    expect(first.readAuthRefusal("another")).toBeUndefined();
  });

  test("clears everything with one reason", async () => {
    const { put, clearQueue, drops, countQueue } = await openQueue();
    put(makeEvent());
    put(makeEvent(), OTHER);
    clearQueue("denied");
    expect([drops.map(({ reason }) => reason), countQueue()]).toEqual([["denied", "denied"], 0]);
  });
});
