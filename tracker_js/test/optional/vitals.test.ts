import { expect, test, vi } from "vitest";
import "../browser";
import { run } from "./plugins";

test("each of the five metrics is told as the library reports it", async () => {
  const watchers = ["onCLS", "onFCP", "onINP", "onLCP", "onTTFB"];
  vi.doMock("web-vitals", () =>
    Object.fromEntries(
      watchers.map((watcher) => [
        watcher,
        (report: (metric: object) => void) =>
          report({ name: watcher.slice(2), value: 0.12345, rating: "good", navigationType: "reload" }),
      ]),
    ),
  );
  const { default: vitals } = await import("../../src/optional/vitals");
  expect(run(vitals).tracked).toEqual(
    ["CLS", "FCP", "INP", "LCP", "TTFB"].map((metric) => [
      "Web vital",
      { metric, value: 0.123, rating: "good", navigation: "reload" },
    ]),
  );
});
