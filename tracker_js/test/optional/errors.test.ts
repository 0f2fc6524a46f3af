import { expect, test } from "vitest";
import errors from "../../src/optional/errors";
import "../browser";
import { run } from "./plugins";

const fail = (message: string, filename = "https://shop.example/app.js?token=1", lineno = 3, colno = 7) =>
  window.dispatchEvent(Object.assign(new Event("error"), { message, filename, lineno, colno }));

const reject = (reason: unknown) =>
  window.dispatchEvent(Object.assign(new Event("unhandledrejection"), { reason }));

test("a fault is recorded once, with its place and without queries", () => {
  const { tracked } = run(errors);
  fail("Uncaught TypeError: https://shop.example/a?token=1 failed");
  fail("Uncaught TypeError: https://shop.example/a?token=1 failed");
  expect(tracked).toEqual([
    [
      "Script error",
      {
        message: "Uncaught TypeError: https://shop.example/a failed",
        source: "https://shop.example/app.js",
        line: 3,
        column: 7,
      },
    ],
  ]);
});

test("a rejection's place is read from its stack", () => {
  const { tracked } = run(errors);
  const reason = new RangeError("too far");
  reason.stack = "RangeError: too far\n    at go (https://shop.example/app.js?v=1:12:5)";
  reject(reason);
  expect(tracked[0]![1]).toEqual({
    message: "RangeError: too far",
    source: "https://shop.example/app.js",
    line: 12,
    column: 5,
  });
});

test.each([["a text"], [null], [undefined], [{}]])(
  "a rejection with %o is recorded without place",
  (reason) => {
    const { tracked, faults } = run(errors);
    reject(reason);
    expect(faults).toEqual([]);
    expect(tracked[0]![1]).toMatchObject({ source: "", line: undefined });
  },
);

test("a page that fails all the time is recorded ten times, in short", () => {
  const { tracked } = run(errors);
  for (let index = 0; index < 50; index++) fail(`${index} ${"x".repeat(1000)}`);
  expect(tracked.length).toBe(10);
  expect((tracked[0]![1].message as string).length).toBe(255);
});

test("a picture that does not load is no script error", () => {
  const { tracked } = run(errors);
  document.body.innerHTML = "<img>";
  document.querySelector("img")!.dispatchEvent(new Event("error"));
  expect(tracked).toEqual([]);
});
