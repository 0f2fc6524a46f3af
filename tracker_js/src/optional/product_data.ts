/** What a page says of its products in schema.org's terms, as JSON-LD. Source: https://schema.org/Product */

export interface Product {
  id?: string | undefined;
  name?: string | undefined;
  url?: string | undefined;
  amount?: number | undefined;
  img?: string | undefined;
}

type Node = { [name: string]: unknown };

const list = (value: unknown): unknown[] => ([] as unknown[]).concat(value ?? []);

/** Returns a text, that of the first of several; of an object that stands for a picture, its address. */
const text = (value: unknown): string | undefined => {
  const [first] = list(value);
  const found = (first as Node | undefined)?.url ?? first;
  return found == null ? undefined : `${found as string}`;
};

const address = (value: unknown): string | undefined => {
  const found = text(value);
  return found && new URL(found, document.baseURI).href;
};

/**
 * Returns a number, also from a text such as "1 290,50" or "1,290.50 EUR": the last separator is that of decimals when one
 * or two digits follow. Nothing where it can be read in two ways, as "1,290" and "1.290", or in none.
 */
export const readAmount = (value: unknown): number | undefined => {
  const text = `${value as string}`.replace(/[\s']/g, "");
  const found = /^(-?\d+|-?\d{1,3}(?:([.,])\d{3})+)(?:[.,](\d\d?))?(?![.,]?\d)/.exec(text) || [];
  const [, whole = "", separator, decimals = ""] = found;
  const groups = whole.split(separator!);
  const isUnclear = groups[1] && !groups[2] && !decimals;
  const read = isUnclear ? NaN : parseFloat(`${groups.join("")}.${decimals}`);
  const amount = typeof value === "number" ? value : read;
  return isFinite(amount) ? amount : undefined;
};

const findProducts = (node: unknown): Product[] =>
  list(node).flatMap((each) => {
    const { "@type": type, "@graph": graph, sku, productID, name, url, image, offers } = each as Node;
    if (!list(type).includes("Product")) return list(graph).flatMap(findProducts);
    const offer = (list(offers)[0] || {}) as Node;
    return {
      id: text(sku ?? productID),
      name: text(name),
      url: address(url ?? offer.url),
      amount: readAmount(offer.price ?? offer.lowPrice),
      img: address(image),
    };
  });

/** Returns the products of the page as it is now. */
export const readProducts = (): Product[] =>
  [...document.querySelectorAll('script[type="application/ld+json"]')].flatMap((script) => {
    try {
      return findProducts(JSON.parse(script.textContent!));
    } catch {
      return []; // the page's mistake
    }
  });
