import { beforeEach, expect, test, vi } from "vitest";
import { collector, openPage, pass } from "./browser";

const attempts = () => collector.stored.filter(({ name }) => name === "$leave_site_attempt");

/** The pointer leaves the page, so long after it began to load. */
const leaveBy = (timeStamp: number, { clientX = 300, clientY = -1, buttons = 0 } = {}) => {
  const event = new MouseEvent("mouseleave", { clientX, clientY, buttons });
  Object.defineProperty(event, "timeStamp", { value: timeStamp });
  document.documentElement.dispatchEvent(event);
};

beforeEach(() => {
  vi.spyOn(document.documentElement, "clientWidth", "get").mockReturnValue(1265);
  vi.stubGlobal("matchMedia", (query: string) => ({ matches: query === "(pointer:fine)" }));
});

test("a pointer that leaves through the top is told", async () => {
  await openPage();
  leaveBy(5000);
  await pass(2000);
  expect(attempts().map(({ props }) => props)).toEqual([{ $trigger: "pointer" }]);
});

test.each<[string, () => void]>([
  ["within five seconds of arrival", () => leaveBy(4999)],
  ["through a side or the bottom", () => leaveBy(6000, { clientY: 300 })],
  ["over the left corner", () => leaveBy(6000, { clientX: -20 })],
  ["over the right corner", () => leaveBy(6000, { clientX: 1300 })],
  ["along the topmost row to the scroll bar", () => leaveBy(6000, { clientX: 1265, clientY: 0 })],
  ["while dragging", () => leaveBy(6000, { buttons: 1 })],
  [
    "out of an element in the page",
    () => {
      const event = new MouseEvent("mouseleave", { clientY: -1 });
      Object.defineProperty(event, "timeStamp", { value: 6000 });
      document.body.dispatchEvent(event);
    },
  ],
])("a pointer that leaves %s is not", async (_, act) => {
  await openPage();
  act();
  await pass(2000);
  expect(attempts()).toEqual([]);
});

test("a finger is no fine pointer", async () => {
  vi.stubGlobal("matchMedia", () => ({ matches: false }));
  await openPage();
  leaveBy(6000);
  await pass(2000);
  expect(attempts()).toEqual([]);
});

test("at most one attempt a minute is told", async () => {
  await openPage();
  [5000, 6000, 64_999, 65_000, 70_000].forEach((time_ms) => leaveBy(time_ms));
  await pass(2000);
  expect(attempts().length).toBe(2);
});

test("attempts can be left out", async () => {
  await openPage({ options: { disable: "leave_site_attempt" } });
  leaveBy(6000);
  await pass(2000);
  expect(attempts()).toEqual([]);
});
