/** The beacon of one visit, at a fixed time with fixed ids. The server's tests parse it, so the sides cannot drift. */
import { beforeEach, expect, test, vi } from "vitest";
import { byHand, collector, openPage, pass, setDocument, setNavigator } from "./browser";

beforeEach(() => {
  let last = 0;
  vi.spyOn(crypto, "getRandomValues").mockImplementation((array) => {
    const words = array as unknown as Uint32Array;
    words.forEach((_, index) => (words[index] = ++last));
    return array;
  });
  vi.spyOn(Intl, "DateTimeFormat").mockReturnValue({
    resolvedOptions: () => ({ timeZone: "Europe/Berlin" }),
  } as never);
  vi.stubGlobal("matchMedia", () => ({ matches: true }));
  setNavigator("language", "de-DE");
  setNavigator("maxTouchPoints", 0);
  setNavigator("userAgentData", {
    getHighEntropyValues: () =>
      Promise.resolve({
        brands: [
          { brand: "Chromium", version: "156" },
          { brand: "Not?A_Brand", version: "24" },
        ],
        mobile: false,
        platform: "Windows",
        model: "",
        platformVersion: "15.0.0",
        formFactors: ["Desktop"],
        fullVersionList: [
          { brand: "Chromium", version: "156.0.7258.66" },
          { brand: "Not?A_Brand", version: "24.0.0.0" },
        ],
      }),
  });
});

test("the beacon of one visit is the golden one", async () => {
  const { tracker } = await openPage({
    url: "https://shop.example/bikes?utm_source=spring&utm_medium=email&gclid=Cj0",
    referrer: "https://search.example/",
  });
  setDocument("title", "Bikes");
  tracker.set({ plan: "pro" });
  tracker.track("$product_viewed", {
    $name: "Kittiwake",
    $url: "https://shop.example/bikes/1",
    $amount: 990,
  });
  tracker.track("Bell rung", { loud: true, times: 2, note: "Привет, “Welt” \u{1f6b2}", none: null });
  document.body.innerHTML = '<form name="news" action="/news"><input type="email" name="email"></form>';
  const field = document.querySelector("input")!;
  field.value = "ann@example.org";
  field.dispatchEvent(byHand(new Event("change", { bubbles: true })));
  document.querySelector("form")!.dispatchEvent(new Event("submit", { bubbles: true }));
  tracker.identify({ $email: "ann@example.org" });
  void tracker.auth("user-1", "0".repeat(64));
  await pass(300);
  expect(collector.requests.length).toBe(1);
  const text = `${JSON.stringify(JSON.parse(collector.requests[0]!.body), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot("../../tests/golden/beacon.json");
});
