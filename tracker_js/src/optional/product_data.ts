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

/** Thousands in groups of three, all with the same separator. */
const GROUPED = /^-?\d{1,3}([.,])\d{3}(\1\d{3})*$/;

/**
 * Returns a number, also from a text such as "1 290,50" or "1,290.50 EUR": the last separator is that of decimals when one
 * or two digits follow. Nothing where it can be read in two ways: "1,290" and "1.290".
 */
export const readAmount = (value: unknown): number | undefined => {
  if (typeof value === "number") return isFinite(value) ? value : undefined;
  const [text] = /^-?[\d.,]*\d/.exec(`${value as string}`.replace(/[\s'\u2019]/g, "")) || [""];
  const [, whole, decimals] = /^(.*?)(?:[.,](\d\d?))?$/.exec(text)!;
  const isGrouped = GROUPED.test(whole!);
  // a single group that begins with 0 is no thousand
  if (isGrouped && !decimals && /^-?[1-9]\d*.\d{3}$/.test(whole!)) return undefined;
  const digits = isGrouped && !/^-?0/.test(whole!) ? whole!.replace(/[.,]/g, "") : whole!.replace(",", ".");
  const amount = text ? Number(decimals ? `${digits}.${decimals}` : digits) : NaN;
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
