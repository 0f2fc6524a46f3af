import { beforeEach, expect, test, vi } from "vitest";
import scroll from "../../src/optional/scroll";
import { setDocument } from "../browser";
import { run, type Notes } from "./plugins";

const HEIGHT_PX = 4000;
let layouts: (() => void)[] = [];

beforeEach(() => {
  layouts = [];
  vi.stubGlobal("innerHeight", 800);
  Object.defineProperty(document.documentElement, "scrollHeight", { configurable: true, value: HEIGHT_PX });
  vi.stubGlobal(
    "IntersectionObserver",
    class {
      constructor(callback: (entries: unknown[], observer: unknown) => void) {
        layouts.push(() => callback([], this));
      }
      observe() {}
      disconnect() {}
    },
  );
  setDocument("title", "A long page");
});

const scrollTo = (y: number, target: EventTarget = document) => {
  vi.stubGlobal("scrollY", y);
  target.dispatchEvent(new Event("scroll"));
};
const layOut = () => layouts.splice(0).forEach((call) => call());
const depths = ({ tracked }: Notes) => tracked.map(([, { percent }]) => percent);

test("each quarter is told once, those that were skipped too", () => {
  const notes = run(scroll);
  scrollTo(300);
  layOut();
  expect(depths(notes)).toEqual([25]);
  scrollTo(2400);
  layOut();
  scrollTo(100);
  layOut();
  scrollTo(HEIGHT_PX - 800);
  layOut();
  expect(depths(notes)).toEqual([25, 50, 75, 100]);
  expect(notes.tracked[0]![0]).toBe("Page scrolled");
});

test("nothing is measured before a layout, and many scrolls are measured once", () => {
  const notes = run(scroll);
  for (let y = 0; y < 3000; y += 100) scrollTo(y);
  expect(depths(notes)).toEqual([]);
  expect(layouts.length).toBe(1);
});

test("a new view counts anew", () => {
  const notes = run(scroll);
  scrollTo(300);
  layOut();
  notes.keep("$page_view");
  scrollTo(310);
  layOut();
  expect(depths(notes)).toEqual([25, 25]);
});

test("lists inside the page scroll unseen, and after the end nothing is measured", () => {
  run(scroll);
  scrollTo(0, document.body);
  expect(layouts.length).toBe(0);
  scrollTo(HEIGHT_PX);
  layOut();
  scrollTo(HEIGHT_PX);
  expect(layouts.length).toBe(0);
});
