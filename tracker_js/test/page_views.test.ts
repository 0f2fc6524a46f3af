import { beforeEach, describe, expect, test } from "vitest";
import { collector, hide, openPage, type Page, pass, setDocument, setUrl, show } from "./browser";

const HOME = "https://shop.example/";

const views = () => collector.stored.filter(({ name }) => name === "$page_view");
const urls = () => views().map(({ props }) => `${props.$url}`.replace(HOME, "/"));

/** A Navigation API of the kind that browsers have: it tells of every change of the current entry. */
const addNavigationApi = () => {
  const navigation = Object.assign(new EventTarget(), { currentEntry: {} });
  Object.assign(window, { navigation });
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    history[name] = function (...args) {
      original.apply(this, args);
      navigation.dispatchEvent(new Event("currententrychange"));
    };
  }
};

const push = (url: string) => history.pushState({}, "", url);
const replace = (url: string) => history.replaceState({}, "", url);
const task = () => pass(1);
const pageshow = (persisted: boolean) =>
  window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted }));

describe.each(["the Navigation API", "history only"])("with %s", (api) => {
  beforeEach(() => {
    Object.assign(window, { navigation: undefined });
    if (api === "the Navigation API") addNavigationApi();
  });

  test.each<[string, () => unknown, string[]]>([
    ["nothing", () => {}, []],
    ["push of another path", () => push("/a"), ["/a"]],
    ["push of another query", () => push("/?page=2"), ["/?page=2"]],
    ["push of another hash", () => push("/#a"), []],
    ["push of the same address", () => push("/"), []],
    ["replace of the same address", () => replace("/"), []],
    ["replace of another path", () => replace("/a"), ["/a"]],
    ["replace of another query", () => replace("/?page=2"), ["/?page=2"]],
    ["replace of the hash", () => replace("/#a"), []],
    ["replace before push, as routers do", () => (replace("/"), push("/a")), ["/a"]],
    ["two pushes at once", () => (push("/a"), push("/b")), ["/a", "/b"]],
    ["the same push twice", () => (push("/a"), push("/a")), ["/a"]],
    ["two pushes, one after the other", async () => (push("/a"), await task(), push("/b")), ["/a", "/b"]],
    ["there and back", async () => (push("/a"), await task(), push("/")), ["/a", "/"]],
    ["a query taken away", async () => (push("/?a=1"), await task(), replace("/")), ["/?a=1", "/"]],
    ["a redirect", () => (push("/account"), replace("/login")), ["/account", "/login"]],
    ["a redirect to where one was", () => (push("/a"), replace("/")), ["/a", "/"]],
    ["a path and a hash", () => push("/a#b"), ["/a"]],
    ["a hash after a path", async () => (push("/a"), await task(), push("/a#b")), ["/a"]],
    ["a relative address", () => push("c?d"), ["/c?d"]],
    ["a push without an address", () => history.pushState({}, ""), []],
    ["a stray pageshow", () => pageshow(false), []],
    ["a return from the back/forward cache", () => pageshow(true), ["/"]],
    ["hiding and showing", () => (hide(), show()), []],
  ])("%s", async (_, navigate, expected) => {
    await openPage();
    await navigate();
    await pass(3000);
    expect(urls()).toEqual(["/", ...expected]);
  });

  test("a refused push is no view and fails for the page as ever", async () => {
    await openPage();
    expect(() => push("https://other.example/")).toThrow();
    await pass(2000);
    expect(urls()).toEqual(["/"]);
  });

  test("a view has the title that the page sets after the change", async () => {
    await openPage();
    push("/a");
    await pass(50);
    setDocument("title", "Another page");
    await pass(2000);
    expect(views().map(({ props }) => props.$title)).toEqual(["A page", "Another page"]);
  });

  test.each<[string, () => void]>([
    ["the page is hidden", hide],
    ["the page is left", () => window.dispatchEvent(new Event("pagehide"))],
  ])("a view is told at once when %s", async (_, end) => {
    await openPage();
    push("/a");
    end();
    await pass(99);
    hide();
    expect(urls()).toEqual(["/", "/a"]);
  });

  test("a view that waits is told before the tracker is flushed", async () => {
    const { tracker } = await openPage();
    push("/a");
    void tracker.flush();
    await pass(10);
    expect(urls()).toEqual(["/", "/a"]);
  });

  test("a view comes before what is tracked right after the change", async () => {
    const { tracker } = await openPage();
    push("/a");
    tracker.track("Clicked");
    await pass(2000);
    expect(collector.names()).toEqual(["$session_start", "$page_view", "$page_view", "Clicked"]);
    expect(collector.stored.at(-1)!.page.url).toBe(`${HOME}a`);
  });

  test("the route before is the referrer of the next", async () => {
    await openPage({ referrer: "https://search.example/" });
    push("/a");
    await task();
    push("/b");
    await pass(2000);
    expect(views().map(({ page }) => page.referrer)).toEqual(["https://search.example/", HOME, `${HOME}a`]);
  });

  test("hashes are routes where the page says so", async () => {
    await openPage({ url: `${HOME}#/`, options: { hashRoutes: "" } });
    push("#/list");
    await task();
    push("#/list");
    await task();
    push("#/detail");
    await pass(2000);
    expect(urls()).toEqual(["/#/", "/#/list", "/#/detail"]);
  });
});

test("popstate is a change of route", async () => {
  Object.assign(window, { navigation: undefined });
  await openPage();
  setUrl(`${HOME}back`);
  window.dispatchEvent(new Event("popstate"));
  await pass(2000);
  expect(urls()).toEqual(["/", "/back"]);
});

describe("arrival", () => {
  const count = async (ms: number) => (await pass(ms), views().length);

  test("in a background tab counts when it is shown", async () => {
    setDocument("hidden", true);
    await openPage();
    push("/early");
    expect(await count(60_000)).toBe(0);
    show();
    await pass(2000);
    expect(urls()).toEqual(["/early"]);
    expect(views()[0]!.time).toBe("2026-11-23T14:04:22.001Z");
  });

  test("in a tab that is never shown does not count", async () => {
    setDocument("hidden", true);
    const page: Page = await openPage();
    window.dispatchEvent(new Event("pagehide"));
    page.kill();
    expect(collector.requests).toEqual([]);
  });

  test("in a prerendered page counts when it is shown, with all that was tracked", async () => {
    setDocument("hidden", true);
    setDocument("prerendering", true);
    const { tracker } = await openPage();
    tracker.track("Early");
    expect(await count(60_000)).toBe(0);
    expect(collector.requests).toEqual([]);
    expect(Object.keys(localStorage)).toEqual([]);
    setDocument("prerendering", false);
    document.dispatchEvent(new Event("prerenderingchange"));
    show();
    await pass(2000);
    expect(collector.names()).toEqual(["$session_start", "Early", "$page_view"]);
  });
});

test("a view names its page", async () => {
  await openPage({ url: `${HOME}bikes?colour=red#top`, referrer: "https://search.example/find" });
  await pass(300);
  expect(views()[0]).toMatchObject({
    page: { url: `${HOME}bikes?colour=red`, title: "A page", referrer: "https://search.example/find" },
    props: {
      $url: `${HOME}bikes?colour=red`,
      $title: "A page",
      $referrer: "https://search.example/find",
    },
  });
});

test("a view by hand is told with what the page adds", async () => {
  const { tracker } = await openPage({ options: { disable: "page_view" } });
  tracker.page({ section: "Bikes", $title: "My own" });
  await pass(300);
  expect(views().map(({ props }) => props)).toEqual([
    { $url: HOME, $title: "My own", $referrer: "", section: "Bikes" },
  ]);
});
