import { expect, test } from "vitest";
import outbound from "../../src/optional/outbound";
import "../browser";
import { run, type Tracked } from "./plugins";

/** Clicks the element with the id "it" (or the link itself) and returns what was recorded. */
const click = (html: string, type = "click", init: MouseEventInit = {}): Tracked[] => {
  document.body.innerHTML = html;
  const { tracked, faults } = run(outbound);
  const target = document.querySelector("#it") || document.querySelector("a")!;
  target.addEventListener(type, (event) => event.stopPropagation());
  target.dispatchEvent(
    new MouseEvent(type, { bubbles: true, composed: true, cancelable: true, button: 0, ...init }),
  );
  expect(faults).toEqual([]);
  return tracked;
};

const FOLLOWED = ["Link followed", { url: "https://other.example/a", domain: "other.example" }];

test.each([
  ["a link away, without query and hash", '<a href="https://other.example/a?token=1#x">x</a>', [FOLLOWED]],
  ["an element inside the link", '<a href="https://other.example/a"><b><i id="it">x</i></b></a>', [FOLLOWED]],
  ["a link inside the site", '<a href="/inside">x</a>', []],
  ["mail", '<a href="mailto:ann@example.com">x</a>', []],
  ["no address", "<a>x</a>", []],
  ["no link", '<a href="https://other.example/">x</a><b id="it">x</b>', []],
  ["ignored", '<div data-track-ignore><a href="https://other.example/a">x</a></div>', []],
  [
    "a file",
    '<a href="/list.PDF?for=ann">x</a>',
    [["File downloaded", { url: "https://shop.example/list.PDF", extension: "pdf" }]],
  ],
  [
    "a download without ending",
    '<a href="/report" download>x</a>',
    [["File downloaded", { url: "https://shop.example/report", extension: "" }]],
  ],
])("%s", (_, html, tracked) => {
  expect(click(html)).toEqual(tracked);
});

test("the middle button opens a tab, the right one only a menu", () => {
  const html = '<a href="https://other.example/a">x</a>';
  expect(click(html, "auxclick", { button: 1 })).toEqual([FOLLOWED]);
  expect(click(html, "auxclick", { button: 2 })).toEqual([]);
});
