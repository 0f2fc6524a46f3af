import { describe, expect, test } from "vitest";
import { collector, cookies, keysInStorage, leave, openPage, pass, setNavigator } from "./browser";

const LANDING = ["$session_start", "$page_view"];
const REQUIRED = { consent: "required" };

const reasons = (page: { drops: { event: { name: string }; reason: string }[] }) =>
  page.drops.map(({ event, reason }) => `${event.name}: ${reason}`);

describe("required consent", () => {
  test("stores and sends nothing before it is given", async () => {
    const page = await openPage({ options: REQUIRED });
    page.tracker.track("Early");
    await pass(60_000);
    leave(page);
    expect([collector.requests, keysInStorage(), cookies.written]).toEqual([[], [], []]);
  });

  test("sends what waited with its own times once it is given", async () => {
    const { tracker } = await openPage({ options: REQUIRED });
    await pass(5000);
    const id = tracker.track("Early");
    await pass(5000);
    tracker.consent("granted");
    await pass(300);
    expect(collector.stored.map(({ name, time }) => [name, time.slice(17, 23)])).toEqual([
      ["$session_start", "22.001"],
      ["$page_view", "22.001"],
      ["Early", "27.001"],
    ]);
    expect(collector.stored[2]!.id).toBe(id);
  });

  test("is remembered", async () => {
    const { tracker } = await openPage({ options: REQUIRED });
    tracker.consent("granted");
    await pass(300);
    await openPage({ options: REQUIRED });
    await pass(2000);
    expect(collector.names()).toEqual([...LANDING, "$page_view"]);
  });

  test("drops what waited when it is denied", async () => {
    const page = await openPage({ options: REQUIRED });
    page.tracker.consent("denied");
    page.tracker.track("Later");
    await pass(60_000);
    expect(collector.requests).toEqual([]);
    expect(reasons(page)).toEqual(["$page_view: denied", "Later: denied"]);
  });

  test("holds a bounded number of events", async () => {
    const page = await openPage({ options: REQUIRED });
    for (let count = 0; count < 1100; count++) {
      page.tracker.track("Early");
      await pass(100);
    }
    expect(page.drops.every(({ reason }) => reason === "queue_full")).toBe(true);
    page.tracker.consent("granted");
    await pass(60_000);
    expect(collector.stored.length + page.drops.length).toBe(1102);
    expect(page.drops.length).toBeGreaterThan(90);
  });
});

describe("an objection", () => {
  test.each(["optOut", "denied"])("by %s forgets everything and lasts", async (how) => {
    const first = await openPage();
    await pass(300);
    collector.behave = () => 503;
    first.tracker.track("Waiting");
    if (how === "optOut") first.tracker.optOut();
    else first.tracker.consent("denied");
    expect(keysInStorage()).toEqual(["footfall.default.consent"]);
    expect(cookies.jar.size).toBe(0);
    expect(reasons(first)).toEqual(["Waiting: denied"]);
    first.kill();
    collector.requests.length = 0;
    const second = await openPage();
    second.tracker.track("Later");
    await pass(60_000);
    leave(second);
    expect([collector.requests, keysInStorage()]).toEqual([[], ["footfall.default.consent"]]);
  });

  test("by the address", async () => {
    const page = await openPage({ url: "https://shop.example/?footfall_optout" });
    await pass(60_000);
    expect([collector.requests, reasons(page)]).toEqual([[], ["$page_view: denied"]]);
  });

  test("can be taken back", async () => {
    const { tracker } = await openPage();
    tracker.optOut();
    tracker.optIn();
    tracker.track("Again");
    await pass(2000);
    expect(collector.names()).toEqual(["$session_start", "Again"]);
  });
});

describe("browsers' signals", () => {
  test("Global Privacy Control is honoured, even against a granted consent", async () => {
    setNavigator("globalPrivacyControl", true);
    const page = await openPage();
    page.tracker.consent("granted");
    page.tracker.track("Seen");
    await pass(60_000);
    leave(page);
    expect([collector.requests, keysInStorage(), cookies.written]).toEqual([[], [], []]);
    expect(reasons(page)).toEqual(["$page_view: gpc", "Seen: gpc"]);
  });

  test.each<[string, object, boolean]>([
    ["ignored by an empty attribute", { ignoreGpc: "" }, true],
    ["ignored", { ignoreGpc: true }, true],
    ["not ignored", { ignoreGpc: "false" }, false],
  ])("Global Privacy Control can be %s", async (_, options, isSent) => {
    setNavigator("globalPrivacyControl", true);
    await openPage({ options });
    await pass(300);
    expect(collector.requests.length > 0).toBe(isSent);
  });

  test.each<[object, boolean]>([
    [{}, true],
    [{ dnt: "" }, false],
  ])("Do Not Track is honoured where the page says so: %j", async (options, isSent) => {
    setNavigator("doNotTrack", "1");
    await openPage({ options });
    await pass(300);
    expect(collector.requests.length > 0).toBe(isSent);
  });
});
