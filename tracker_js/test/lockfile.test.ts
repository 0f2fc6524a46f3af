import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("the lock file names no address", () => {
  const text = readFileSync("package-lock.json", "utf8");
  expect(text).toContain('"lockfileVersion"');
  expect(text).not.toMatch(/https?:|"resolved"/);
});
