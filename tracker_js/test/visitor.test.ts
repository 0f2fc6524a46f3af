import { describe, expect, test } from "vitest";
import { collector, cookies, keysInStorage, limitStorage, openPage, pass } from "./browser";

const visitorIds = () => new Set(collector.requests.map(({ beacon }) => beacon.visitor_id));
const COOKIE = /footfall\.default\.visitor=([\da-f-]{36})\.\d+/;

test("is a UUID, the same in later pages", async () => {
  (await openPage()).kill();
  await openPage();
  await pass(300);
  expect(visitorIds().size).toBe(1);
  expect([...visitorIds()][0]).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
});

describe("the cookie", () => {
  test.each([
    ["https://www.shop.co.uk/", ["co.uk"], "shop.co.uk"],
    ["https://shop.example/", [], "shop.example"],
    ["http://localhost:8000/", [], "localhost"],
    ["http://127.0.0.1:8000/", ["0.1", "0.0.1"], "127.0.0.1"],
  ])("is set on the widest domain that works: %s", async (url, suffixes, domain) => {
    cookies.suffixes = suffixes;
    await openPage({ url });
    expect(cookies.written.at(-1)).toContain(`;domain=${domain}`);
    expect(cookies.written.length).toBe(suffixes.length + 1);
    expect(cookies.jar.size).toBe(1);
  });

  test("is small, lax, lives a year, and is secure on https", async () => {
    await openPage({ options: { site: "s".repeat(60) } });
    const cookie = cookies.written.at(-1);
    expect(cookie).toMatch(/;path=\/;max-age=31536000;samesite=lax;domain=shop.example;secure$/);
    expect(cookie!.split(";")[0]!.length).toBeLessThanOrEqual(128);
  });

  test("is not secure on http, where it could not be set", async () => {
    await openPage({ url: "http://shop.example/" });
    expect(cookies.written[0]).not.toContain("secure");
  });

  test("is set on the domain that the page names", async () => {
    await openPage({ url: "https://a.b.shop.example/", options: { cookieDomain: "b.shop.example" } });
    expect(cookies.written.map((text) => /domain=([^;]*)/.exec(text)![1])).toEqual(["b.shop.example"]);
  });

  test("makes subdomains agree", async () => {
    (await openPage({ url: "https://www.shop.example/" })).kill();
    await pass(1000);
    Object.assign(globalThis, { localStorage: {} }); // another origin
    await openPage({ url: "https://blog.shop.example/" });
    await pass(300);
    const [id] = COOKIE.exec(`${[...cookies.jar][0]!.join("=")}`)!.slice(1);
    expect(visitorIds()).toEqual(new Set([id]));
  });

  test("is renewed by each page", async () => {
    (await openPage()).kill();
    const [before] = [...cookies.jar.values()];
    await pass(1000);
    await openPage();
    expect([...cookies.jar.values()][0]).not.toBe(before);
    expect([...cookies.jar.values()][0]!.slice(0, 36)).toBe(before!.slice(0, 36));
  });

  test("comes back from storage when it is gone, and storage from it", async () => {
    (await openPage()).kill();
    cookies.jar.clear();
    (await openPage()).kill();
    expect(cookies.jar.size).toBe(1);
    keysInStorage().forEach((key) => key.endsWith("visitor") && delete localStorage[key]);
    await openPage();
    await pass(300);
    expect(visitorIds().size).toBe(1);
  });

  test.each([
    ["storage", () => keysInStorage().forEach((key) => delete localStorage[key])],
    ["cookies", () => cookies.jar.clear()],
    ["its cookie's value", () => cookies.jar.set("footfall.default.visitor", "x")],
    ["its stored value", () => (localStorage["footfall.default.visitor"] = '["x"]')],
  ])("outlives that the page damages %s, at once and later", async (_, damage) => {
    const page = await openPage();
    await pass(300);
    damage();
    page.tracker.track("Seen");
    await pass(2000);
    damage();
    page.kill();
    await openPage();
    await pass(300);
    expect(visitorIds().size).toBe(1);
  });

  test("of another name that ends alike is not mistaken for it", async () => {
    cookies.jar.set("footfall.default.visitor", "x");
    cookies.jar.set("zz", "01a208b7-f011-7001-a005-000600070008");
    await openPage();
    await pass(300);
    expect(visitorIds()).not.toContain("01a208b7-f011-7001-a005-000600070008");
  });

  test.each(["", "x", "<script>", "0".repeat(300)])("that holds no id is replaced: %j", async (value) => {
    cookies.jar.set("footfall.default.visitor", value);
    cookies.jar.set("other", "1");
    await openPage();
    await pass(300);
    expect([...visitorIds()][0]).toHaveLength(36);
    expect(cookies.jar.get("footfall.default.visitor")!.startsWith([...visitorIds()][0]!)).toBe(true);
  });
});

test.each([["5"], ["{}"], ['["x","y"]'], ["[]"]])("damaged storage makes a new visitor: %s", async (text) => {
  localStorage["footfall.default.visitor"] = text;
  await openPage();
  await pass(300);
  expect([...visitorIds()][0]).toMatch(/^[\da-f-]{36}$/);
});

test("works without cookies and storage", async () => {
  limitStorage("forbidden");
  cookies.isForbidden = true;
  const { tracker } = await openPage();
  await pass(300);
  tracker.track("Seen");
  await pass(2000);
  expect(visitorIds().size).toBe(1);
  expect(collector.names()).toEqual(["$session_start", "$page_view", "Seen"]);
});

test("two sites in one page's origin do not share visitors", async () => {
  const first = await openPage();
  await pass(300);
  first.kill();
  await openPage({ options: { site: "other" } });
  await pass(300);
  expect(collector.requests.map(({ beacon }) => beacon.site)).toEqual(["default", "other"]);
  expect(visitorIds().size).toBe(2);
});
