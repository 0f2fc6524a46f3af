import { describe, expect, test, vi } from "vitest";
import { collector, cookies, keysInStorage, leave, openPage, type Page, pass, setNavigator } from "./browser";

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

describe("a decision in one tab", () => {
  test("to object ends the others' events, cookies and storage", async () => {
    const [one, other] = [await openPage(), await openPage()];
    await pass(2000);
    const before = collector.stored.length;
    one.tracker.consent("denied");
    other.tracker.track("Later");
    document.body.dispatchEvent(new Event("scroll"));
    await pass(60_000);
    leave(other);
    expect(collector.stored.length).toBe(before);
    expect(reasons(other)).toEqual(["Later: denied"]);
    expect([keysInStorage(), cookies.jar.size]).toEqual([["footfall.default.consent"], 0]);
  });

  test.each<[string, (page: Page) => unknown]>([
    ["at once", () => window.dispatchEvent(new Event("storage"))],
    ["with its next event, where the browser tells nothing", ({ tracker }) => tracker.track("Next")],
  ])("to agree releases what the others hold: %s", async (_, happen) => {
    const [one, other] = [
      await openPage({ options: { consent: "required", disable: "page_view" } }),
      await openPage({ options: { consent: "required", disable: "page_view" } }),
    ];
    other.tracker.track("Held");
    one.tracker.consent("granted");
    await pass(2000);
    expect(collector.names()).toEqual([]);
    happen(other);
    await pass(2000);
    expect(collector.names().slice(0, 2)).toEqual(["$session_start", "Held"]);
  });

  test("to object makes the others forget what they hold", async () => {
    const [one, other] = [await openPage({ options: REQUIRED }), await openPage({ options: REQUIRED })];
    one.tracker.consent("denied");
    window.dispatchEvent(new Event("storage"));
    await pass(2000);
    expect(reasons(other)).toEqual(["$page_view: denied"]);
    expect(collector.requests).toEqual([]);
  });
});

test("an objection while a request is on its way leaves nothing behind", async () => {
  const { fetch } = globalThis;
  let answer = (): void => {};
  vi.stubGlobal("fetch", async (...request: Parameters<typeof fetch>) => {
    await new Promise<void>((resolve) => (answer = resolve));
    return fetch(...request);
  });
  const page = await openPage();
  await pass(300);
  page.tracker.consent("denied");
  answer();
  await pass(60_000);
  expect(collector.names()).toEqual(LANDING);
  expect(keysInStorage()).toEqual(["footfall.default.consent"]);
});

test("an objection in another tab counts although this tab's consent did not fit into the storage", async () => {
  let isFull = true;
  const stored: Record<string, string> = {};
  const store = (target: typeof stored, key: string, value: string) => {
    if (isFull) throw new DOMException("full", "QuotaExceededError");
    target[key] = value;
    return true;
  };
  vi.stubGlobal("localStorage", new Proxy(stored, { set: store }));
  const first = await openPage({ options: REQUIRED });
  const second = await openPage({ options: REQUIRED });
  first.tracker.consent("granted");
  await pass(2000);
  isFull = false;
  second.tracker.consent("denied");
  const known = collector.requests.length;
  first.tracker.track("After the objection");
  await pass(2000);
  expect(collector.requests.length).toBe(known);
});

test("the visitor is kept before other tabs can hear of the consent, who would each draw one", async () => {
  const kept: string[] = [];
  const store = (target: Record<string, string>, key: string, value: string) => {
    kept.push(key);
    target[key] = value;
    return true;
  };
  vi.stubGlobal("localStorage", new Proxy({}, { set: store }));
  const { tracker } = await openPage({ options: REQUIRED });
  expect(kept).toEqual([]);
  tracker.consent("granted");
  expect(kept.slice(0, 2)).toEqual(["footfall.default.visitor", "footfall.default.consent"]);
});

describe("under Global Privacy Control", () => {
  test("an objection is remembered for a browser that no longer sends it", async () => {
    setNavigator("globalPrivacyControl", true);
    const first = await openPage();
    first.tracker.optOut();
    leave(first);
    setNavigator("globalPrivacyControl", undefined);
    await openPage();
    await pass(2000);
    expect(collector.requests).toEqual([]);
  });

  test("a consent keeps nothing", async () => {
    setNavigator("globalPrivacyControl", true);
    const { tracker } = await openPage({ options: REQUIRED });
    tracker.consent("granted");
    expect(keysInStorage()).toEqual([]);
    expect(document.cookie).toBe("");
  });

  test("an earlier objection outlives a consent", async () => {
    const first = await openPage();
    first.tracker.optOut();
    leave(first);
    setNavigator("globalPrivacyControl", true);
    const second = await openPage();
    second.tracker.optIn();
    expect(localStorage["footfall.default.consent"]).toBe('"denied"');
  });
});
