import { beforeEach, expect, test, vi } from "vitest";
import push from "../../src/optional/push";
import { hide, setNavigator } from "../browser";
import { run, settle } from "./plugins";

let subscription: object | null = null;
let permission: EventTarget;

beforeEach(() => {
  subscription = null;
  permission = new EventTarget();
  setNavigator("serviceWorker", {
    getRegistration: async () => ({ pushManager: { getSubscription: async () => subscription } }),
  });
  setNavigator("permissions", { query: async () => permission });
});

const change = async (next: object | null) => {
  subscription = next;
  permission.dispatchEvent(new Event("change"));
  await settle();
};

test("a subscription is told when it appears and when it goes", async () => {
  const { tracked } = run(push);
  await settle();
  expect(tracked).toEqual([]);
  await change({});
  await change({});
  await change(null);
  await change({});
  expect(tracked.map(([name]) => name)).toEqual([
    "$push_subscribed",
    "$push_unsubscribed",
    "$push_subscribed",
  ]);
});

test("the next page compares with what was remembered", async () => {
  subscription = {};
  const { store } = run(push);
  await settle();
  const same = run(push, store);
  await settle();
  expect(same.tracked).toEqual([]);
  subscription = null;
  const later = run(push, store);
  await settle();
  expect(later.tracked.map(([name]) => name)).toEqual(["$push_unsubscribed"]);
});

test("while events wait for consent nothing is stored and nothing told twice", async () => {
  subscription = {};
  const { tracked, store, keep } = run(push, new Map(), true);
  await settle();
  hide();
  await settle();
  expect(tracked.length).toBe(1);
  expect(store.size).toBe(0);
  keep("$push_subscribed");
  expect(store.size).toBe(1);
});

test.each([
  ["no service workers", () => setNavigator("serviceWorker", undefined)],
  ["no registration", () => setNavigator("serviceWorker", { getRegistration: async () => undefined })],
  [
    "forbidden ones",
    () => setNavigator("serviceWorker", { getRegistration: () => Promise.reject(new Error()) }),
  ],
  ["no permissions", () => setNavigator("permissions", undefined)],
])("nothing happens where there are %s", async (_, prepare) => {
  prepare();
  const rejected = vi.fn();
  process.once("unhandledRejection", rejected);
  const { tracked, faults } = run(push);
  await settle();
  expect([tracked, faults]).toEqual([[], []]);
  expect(rejected).not.toHaveBeenCalled();
});
