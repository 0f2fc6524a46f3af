import { beforeEach, expect, test } from "vitest";
import engagement from "../../src/optional/engagement";
import { hide, pass, setDocument, setUrl, show } from "../browser";
import { run } from "./plugins";

let hasFocus = true;

beforeEach(() => {
  hasFocus = true;
  setDocument("hasFocus", () => hasFocus);
});

const focus = (isFocused: boolean) => {
  hasFocus = isFocused;
  window.dispatchEvent(new Event(isFocused ? "focus" : "blur"));
};

const told = (tracked: unknown[][]) => tracked.map(([, props]) => (props as { seconds: number }).seconds);

test("time counts while the page is visible and focused, and is told when it is hidden", async () => {
  const { tracked } = run(engagement);
  await pass(3000);
  focus(false);
  await pass(60_000);
  focus(true);
  await pass(2000);
  hide();
  await pass(60_000);
  show();
  await pass(4000);
  hide();
  expect(tracked[0]).toEqual(["Page engaged", { seconds: 5, url: "https://shop.example/" }]);
  expect(told(tracked)).toEqual([5, 4]);
});

test("less than a second is nothing", async () => {
  const { tracked } = run(engagement);
  await pass(999);
  hide();
  expect(tracked).toEqual([]);
});

test("a change of route tells the time of the page before", async () => {
  const { tracked, keep } = run(engagement);
  await pass(2000);
  setUrl("https://shop.example/second?token=1");
  keep("$page_view");
  await pass(3000);
  hide();
  expect(tracked.map(([, props]) => props)).toEqual([
    { seconds: 2, url: "https://shop.example/" },
    { seconds: 3, url: "https://shop.example/second" },
  ]);
});

test("a page in the back/forward cache is not engaged", async () => {
  const { tracked } = run(engagement);
  await pass(2000);
  window.dispatchEvent(new Event("pagehide"));
  await pass(60_000);
  window.dispatchEvent(new Event("pageshow"));
  await pass(3000);
  hide();
  expect(told(tracked)).toEqual([2, 3]);
});
