// What the shop sells, and the cart joined with it.
import { cartLines } from "./cart.js";

// resolved once: the lookbook's router moves the page's own address
const shop = new URL(document.body.dataset.shop, document.baseURI);

/** Return the absolute address of something in the shop. */
export function shopUrl(path) {
  return new URL(path, shop).href;
}

/** Return the cart's lines with name, price and addresses; what is no longer sold is left out. */
export async function cartItems() {
  const products = await fetchProducts();
  return cartLines()
    .filter(({ slug }) => Object.hasOwn(products, slug))
    .map(({ slug, quantity }) => {
      const product = products[slug];
      return { ...product, slug, quantity, url: shopUrl(product.url), img: shopUrl(product.img) };
    });
}

/** Return the sum of the lines in whole euros. */
export function total(items) {
  return items.reduce((sum, item) => sum + item.price * item.quantity, 0);
}

async function fetchProducts() {
  const answer = await fetch(shopUrl("products.json"));
  if (!answer.ok) throw new Error(`products: ${answer.status}`);
  return answer.json();
}
