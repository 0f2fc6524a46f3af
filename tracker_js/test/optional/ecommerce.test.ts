import { beforeEach, describe, expect, test } from "vitest";
import ecommerce from "../../src/optional/ecommerce";
import { readAmount, readProducts } from "../../src/optional/product_data";
import { setUrl } from "../browser";
import { run } from "./plugins";

const page = window as unknown as { dataLayer?: unknown[] };
const LAMP = { item_id: "L-1", item_name: "Lamp", price: 49.5, quantity: 2 };
const CHAIR = { item_id: 7, item_name: "Chair", price: "120" };
const LAMP_DATA = {
  "@context": "https://schema.org",
  "@type": "Product",
  sku: "L-1",
  name: "Lamp",
  url: "/lamp",
  image: ["/lamp.jpg", "/lamp2.jpg"],
  offers: { "@type": "Offer", price: "49.50" },
};

beforeEach(() => {
  delete page.dataLayer;
  setUrl("https://shop.example/lamp?utm_source=x");
});

const write = (...data: unknown[]) => {
  document.body.innerHTML = data
    .map((each) => `<script type="application/ld+json">${JSON.stringify(each)}</script>`)
    .join("");
};

/** As gtag.js does: it pushes its own arguments object. */
const gtag = (...args: unknown[]) => page.dataLayer!.push(Object.assign({}, args, { length: args.length }));

describe("what is told", () => {
  test("past and future pushes in their order", () => {
    page.dataLayer = [
      { event: "gtm.js" },
      { event: "view_item", ecommerce: { currency: "EUR", items: [LAMP] } },
    ];
    const { tracked } = run(ecommerce);
    page.dataLayer.push(
      { ecommerce: null },
      { event: "add_to_cart", ecommerce: { currency: "EUR", items: [LAMP, CHAIR] } },
    );
    expect(tracked).toEqual([
      [
        "$product_viewed",
        {
          $name: "Lamp",
          $url: "https://shop.example/lamp",
          $amount: 49.5,
          $img: undefined,
          item_id: "L-1",
          currency: "EUR",
        },
      ],
      ["$cart_added", expect.objectContaining({ $name: "Lamp", $amount: 49.5, quantity: 2 })],
      ["$cart_added", expect.objectContaining({ $name: "Chair", $amount: 120, item_id: 7 })],
    ]);
  });

  test("the cart as parallel lists, with gaps", () => {
    const { tracked } = run(ecommerce);
    gtag("event", "view_cart", { value: 219, items: [LAMP, { item_id: "?" }] });
    expect(tracked).toEqual([
      [
        "$cart_viewed",
        {
          $name: ["Lamp", null],
          $url: [null, null],
          $amount: [49.5, null],
          $img: [null, null],
          value: 219,
          currency: undefined,
        },
      ],
    ]);
  });

  test("checkout and order", () => {
    const { tracked } = run(ecommerce);
    gtag("event", "begin_checkout", { value: 99, currency: "EUR", items: [LAMP] });
    gtag("event", "purchase", { transaction_id: "A-17", value: "99.00", currency: "EUR", items: [LAMP] });
    expect(tracked).toEqual([
      ["$order_started", { value: 99, currency: "EUR", items: [LAMP] }],
      ["$order_completed", { $order_id: "A-17", $order_amount: 99, currency: "EUR", items: [LAMP] }],
    ]);
  });

  test.each([
    ["a refund", { event: "refund", ecommerce: { transaction_id: "A-17" } }],
    ["another event", { event: "login" }],
    ["a name every object has", { event: "constructor", ecommerce: {} }],
    ["a text", "view_item"],
    ["nothing", null],
    ["a function", () => {}],
  ])("nothing of %s", (_, pushed) => {
    const { tracked, faults } = run(ecommerce);
    page.dataLayer!.push(pushed);
    expect([tracked, faults]).toEqual([[], []]);
  });

  test("the page's own push still works and returns the length", () => {
    run(ecommerce);
    expect(page.dataLayer!.push({ event: "purchase", ecommerce: { items: 5 } }, "x")).toBe(2);
    expect(page.dataLayer!.length).toBe(2);
  });
});

describe("an order is told once", () => {
  const purchase = { event: "purchase", ecommerce: { transaction_id: 17, value: 99 } };

  test("in a page, and when the page is opened again", () => {
    page.dataLayer = [purchase, purchase];
    const { tracked, store } = run(ecommerce);
    expect(tracked.length).toBe(1);
    page.dataLayer = [purchase];
    expect(run(ecommerce, store).tracked).toEqual([]);
  });

  test("but one without its id each time, so that the refusal is seen", () => {
    page.dataLayer = [{ event: "purchase", ecommerce: { value: 1 } }];
    const { tracked, store } = run(ecommerce);
    page.dataLayer = [{ event: "purchase", ecommerce: { value: 2 } }];
    expect(tracked.length + run(ecommerce, store).tracked.length).toBe(2);
  });

  test("and remembered only once the tracker keeps the event", () => {
    page.dataLayer = [purchase, purchase];
    const { tracked, store } = run(ecommerce, new Map(), true);
    expect(tracked.length).toBe(1);
    expect(store.size).toBe(0);
  });
});

describe("schema.org data", () => {
  test("fills what a push leaves out", () => {
    write(LAMP_DATA);
    const { tracked } = run(ecommerce);
    gtag("event", "view_item", { items: [{ item_id: "L-1" }] });
    expect(tracked[0]![1]).toMatchObject({
      $name: "Lamp",
      $url: "https://shop.example/lamp",
      $amount: 49.5,
      $img: "https://shop.example/lamp.jpg",
    });
  });

  test("of another product is not taken for the one that is added", () => {
    write(LAMP_DATA);
    const { tracked } = run(ecommerce);
    gtag("event", "add_to_cart", { items: [CHAIR] });
    expect(tracked[0]![1]).toMatchObject({ $name: "Chair", $img: undefined, $url: undefined });
  });

  test.each([
    ["in a graph", { "@graph": [{ "@type": "WebPage" }, LAMP_DATA] }],
    ["in a list", [LAMP_DATA]],
    ["of several types", { ...LAMP_DATA, "@type": ["Product", "Thing"] }],
    [
      "with a picture object and a list of offers",
      { ...LAMP_DATA, image: { url: "/lamp.jpg" }, offers: [{ lowPrice: 49.5 }] },
    ],
  ])("%s", (_, data) => {
    write({ "@type": "Organization" }, data);
    expect(readProducts()).toEqual([
      {
        id: "L-1",
        name: "Lamp",
        url: "https://shop.example/lamp",
        amount: 49.5,
        img: "https://shop.example/lamp.jpg",
      },
    ]);
  });

  test("that is broken is passed over", () => {
    document.body.innerHTML = '<script type="application/ld+json">{"@type":</script>';
    expect(readProducts()).toEqual([]);
    write(null, "Product", [null], { "@type": "Product", url: "https://[", name: "X" });
    expect(readProducts()).toEqual([]);
  });

  test.each([
    ["1 290,50", 1290.5],
    ["1\u00a0290", 1290],
    ["49.90", 49.9],
    [0, 0],
    ["free", undefined],
    [undefined, undefined],
  ])("amount %o", (given, amount) => {
    expect(readAmount(given)).toBe(amount);
  });
});
