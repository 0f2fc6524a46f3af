import { expect, test, vi } from "vitest";
import { collector, openPage, pass } from "./browser";

test("the package's plugins are used after the start and track like the page", async () => {
  const { tracker } = await openPage();
  const { use } = await import("../src/module");
  use((given, listen) => listen("ring", () => given.track("Rung")));
  window.dispatchEvent(new Event("ring"));
  await pass(300);
  expect(collector.names()).toEqual(["$session_start", "$page_view", "Rung"]);
  expect(tracker.version).toBeTruthy();
});

test("what plugins tell of can be switched off one by one, what the page tells cannot", async () => {
  const { tracker } = await openPage({ options: { disable: "cart_added" } });
  const { use } = await import("../src/module");
  use((given) => {
    given.track("$cart_added", {});
    given.track("$order_started", {});
  });
  tracker.track("$cart_added", {});
  await pass(300);
  expect(collector.names()).toEqual(["$session_start", "$page_view", "$order_started", "$cart_added"]);
});

test("a plugin that fails, at once or later, is a fault and nothing else", async () => {
  const { tracker } = await openPage();
  const { use } = await import("../src/module");
  const faults = vi.fn();
  tracker.on("fault" as never, faults);
  const fail = (): never => {
    throw new Error("broken");
  };
  use(fail);
  use((_, listen) => listen("ring", fail));
  window.dispatchEvent(new Event("ring"));
  expect(faults).toHaveBeenCalledTimes(2);
});

test("a plugin's memory is forgotten with everything else", async () => {
  const { tracker } = await openPage();
  const { use } = await import("../src/module");
  let recall: () => unknown[] = () => [];
  use((_, __, ___, loadList, save) => {
    save("plugin", ["kept"]);
    recall = () => loadList("plugin");
  });
  expect(recall()).toEqual(["kept"]);
  tracker.consent("denied");
  expect(recall()[0]).toBeUndefined();
});
