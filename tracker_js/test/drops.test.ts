/** Every event that will not arrive is told of with its reason: one case for each reason that the README lists. */
import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import type { Options } from "../src/types";
import { collector, openPage, pass, setNavigator } from "./browser";

type Page = Awaited<ReturnType<typeof openPage>>;

interface Case {
  options?: Options;
  before?: () => void;
  act?: (page: Page) => void;
}

const refuse =
  (status: number, body = "") =>
  () => {
    collector.behave = () => ({ status, body });
  };

const CASES: Record<string, Case> = {
  vetoed: { act: ({ tracker }) => tracker.on("event", ({ name }) => name !== "Dropped") },
  rate_limited: {
    act({ tracker }) {
      for (let count = 0; count < 100; count++) tracker.track("Loop");
    },
  },
  queue_full: {
    act({ tracker }) {
      tracker.track("Dropped");
      for (let count = 0; count < 90; count++) tracker.track("Large", { text: "x".repeat(8000) });
    },
    before: refuse(503),
  },
  too_old: {
    act({ tracker }) {
      tracker.track("Dropped");
      vi.setSystemTime(Date.now() + 35 * 864e5);
    },
  },
  not_json: {
    act({ tracker }) {
      const circle: Record<string, unknown> = {};
      circle.circle = circle;
      tracker.track("Dropped", circle);
    },
  },
  denied: { act: ({ tracker }) => tracker.consent("denied") },
  gpc: { before: () => setNavigator("globalPrivacyControl", true) },
  dnt: { before: () => setNavigator("doNotTrack", "1"), options: { dnt: "" } },
  too_large: { before: refuse(413, '{"error":{"code":"too_large"}}') },
  "http_<status>": { before: refuse(404) },
  "the server's code": { before: () => collector.refuse.set("Dropped", "wrong_type") },
};
const REASONS: Record<string, string> = { "http_<status>": "http_404", "the server's code": "wrong_type" };

test.each(Object.entries(CASES))("%s", async (reason, { options, before, act }) => {
  before?.();
  const page = await openPage({ options: options ?? {} });
  act?.(page);
  page.tracker.track("Dropped");
  await pass(9000);
  const told = page.drops.filter(({ event }) => event.name === "Dropped").map((drop) => drop.reason);
  expect(told).toContain(REASONS[reason] ?? reason);
  expect(collector.stored.filter(({ id }) => page.drops.some(({ event }) => event.id === id))).toEqual([]);
});

test("the README lists exactly these", () => {
  const readme = readFileSync("README.md", "utf8");
  const [, table] = /\| Reason [^]*?---[^\n]*\n([^]*?)\n\n/.exec(readme)!;
  const listed = table!.split("\n").map((row) => row.split("|")[1]!.trim().replaceAll("`", ""));
  expect(listed.sort()).toEqual(Object.keys(CASES).sort());
});
