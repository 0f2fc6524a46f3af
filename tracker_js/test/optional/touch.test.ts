import { beforeEach, expect, test, vi } from "vitest";
import touch from "../../src/optional/touch";
import "../browser";
import { run } from "./plugins";

const MINUTE_MS = 60_000;
let isCoarse = true;

beforeEach(() => {
  isCoarse = true;
  vi.stubGlobal("matchMedia", (query: string) => ({ matches: isCoarse && query === "(pointer:coarse)" }));
});

const dispatch = (type: string, ms: number, more: object, target: EventTarget = window) => {
  const event = Object.assign(new Event(type), more);
  Object.defineProperty(event, "timeStamp", { value: ms });
  target.dispatchEvent(event);
};

/** One finger moves down by way_px within took_ms. */
const fling = (ms: number, way_px: number, took_ms: number, fingers = 1) => {
  dispatch("touchstart", ms, { touches: Array(fingers).fill({ clientY: 100 }) });
  dispatch("touchend", ms + took_ms, { changedTouches: [{ clientY: 100 + way_px }] });
};

test("a fling towards the top is told, after arrival and once a minute", () => {
  const { tracked } = run(touch);
  fling(3000, 300, 100);
  expect(tracked).toEqual([]);
  fling(6000, 300, 100);
  fling(7000, 300, 100);
  expect(tracked).toEqual([["$leave_site_attempt", { $trigger: "scroll" }]]);
  fling(7000 + MINUTE_MS, 300, 100);
  expect(tracked.length).toBe(2);
});

test.each([
  ["slow", 300, 1000, 1],
  ["short", 60, 20, 1],
  ["towards the end", -300, 100, 1],
  ["of two fingers", 300, 100, 2],
])("a move that is %s is no attempt", (_, way_px, took_ms, fingers) => {
  const { tracked, faults } = run(touch);
  fling(6000, way_px, took_ms, fingers);
  expect([tracked, faults]).toEqual([[], []]);
});

test("with a mouse nothing is told", () => {
  isCoarse = false;
  const { tracked } = run(touch);
  fling(6000, 300, 100);
  expect(tracked).toEqual([]);
});

test.each([
  ["back", "traverse", 1, [["$leave_site_attempt", { $trigger: "back" }]]],
  ["forward", "traverse", 3, []],
  ["to a new page", "push", 1, []],
])("going %s", (_, navigationType, index, expected) => {
  const navigation = Object.assign(new EventTarget(), { currentEntry: { index: 2 } });
  vi.stubGlobal("navigation", navigation);
  const { tracked } = run(touch);
  dispatch("navigate", 6000, { navigationType, destination: { index } }, navigation);
  expect(tracked).toEqual(expected);
});
