/**
 * A shop's events, from what it tells Google Analytics 4 already through `dataLayer`, past pushes included.
 *
 * Shape:   both ways to push are understood: {event, ecommerce: {items, …}} and gtag's ("event", name, {items, …}).
 * Contract
 *   What a push does not say of a product, schema.org data in the page does.
 *   A purchase is told once, also when the page that confirms the order is opened again: its order id is remembered,
 *   once the tracker keeps the event, so that nothing is stored without consent.
 *   `refund` is not told: only the shop's server may say `$order_refunded`.
 */
import type { Props } from "../catalogue";
import type { Plugin } from "../plugin";
import { type Product, readAmount, readProducts } from "./product_data";

/** Shape: what of GA4's is read here, see https://developers.google.com/analytics/devguides/collection/ga4/ecommerce */
interface Item {
  item_id?: string | number;
  item_name?: string;
  price?: unknown;
  quantity?: unknown;
}

interface Order {
  items?: Item[];
  transaction_id?: string | number;
  value?: unknown;
  currency?: unknown;
}

interface Pushed {
  0?: unknown;
  1?: unknown;
  2?: Order;
  event?: unknown;
  ecommerce?: Order;
}

const ORDER = "$order_completed";
const KEY = "orders";
const MAX_REMEMBERED = 50;

/** Returns the product of the page that an item means: that with its id or name, else the only one if it must be it. */
const findProduct = ({ item_id, item_name }: Item, isOnly: boolean): Product => {
  const products = readProducts();
  return (
    products.find(({ id, name }) => (item_id && id === `${item_id}`) || (item_name && name === item_name)) ||
    (isOnly && !products[1] && products[0]) ||
    {}
  );
};

/** Shape: with `isOnly`, the item is what the page is about. */
const describe = (item: Item, isOnly = false): Props => {
  const { name, url, amount, img } = findProduct(item, isOnly);
  return {
    $name: item.item_name ?? name,
    $url: url ?? (isOnly ? location.origin + location.pathname : undefined),
    $amount: readAmount(item.price) ?? amount,
    $img: img,
  };
};

/** Returns the events that a GA4 event stands for, with their attributes. */
const translate = (event: unknown, order: Order): [name: string, props: Props][] => {
  const { currency, value, transaction_id } = order;
  const items = order.items || [];
  const [first = {}] = items;
  switch (event) {
    case "view_item":
      return [["$product_viewed", { ...describe(first, !items[1]), item_id: first.item_id, currency }]];
    case "add_to_cart":
      return items.map((item) => [
        "$cart_added",
        { ...describe(item), item_id: item.item_id, quantity: item.quantity, currency },
      ]);
    case "view_cart": {
      const props: Props = { currency, value };
      const rows = items.map((item) => describe(item));
      // parallel lists: a gap must stay one
      for (const key in describe({})) props[key] = rows.map((row) => row[key] ?? null);
      return [["$cart_viewed", props]];
    }
    case "begin_checkout":
      return [["$order_started", { currency, value, items }]];
    case "purchase":
      return [[ORDER, { $order_id: transaction_id, $order_amount: readAmount(value), currency, items }]];
  }
  return [];
};

/** Returns the events of one push, if it is one of GA4's. */
const readPush = (pushed: unknown): [name: string, props: Props][] => {
  const { 0: command, 1: name, 2: order, event, ecommerce } = Object(pushed) as Pushed;
  return command === "event" ? translate(name, order || {}) : ecommerce ? translate(event, ecommerce) : [];
};

const ecommerce: Plugin = (tracker, _, __, loadList, save) => {
  const told: unknown[] = []; // also those that wait for consent

  const handle = (pushed: unknown): void =>
    tracker.onReady(() =>
      readPush(pushed).forEach(([name, props]) => {
        const id = props.$order_id && `${props.$order_id as string}`;
        // an order without its id goes on, so that the server's refusal is seen
        if (id && told.concat(loadList(KEY)).includes(id)) return;
        told.push(id);
        tracker.track(name, props);
      }),
    );

  tracker.on("event", ({ name, props }) => {
    if (name === ORDER)
      save(KEY, [`${props.$order_id as string}`, ...loadList(KEY)].slice(0, MAX_REMEMBERED));
  });

  const page = window as { dataLayer?: unknown[] };
  const layer = (page.dataLayer = page.dataLayer || []);
  const { push } = layer;
  layer.forEach(handle);
  layer.push = function (...pushed) {
    const length = push.apply(this, pushed);
    pushed.forEach(handle);
    return length;
  };
};

export default ecommerce;
