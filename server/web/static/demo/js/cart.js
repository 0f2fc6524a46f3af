// The cart: slugs and quantities in localStorage, or in memory where storage is forbidden.

const KEY = "kittiwake-cart";
const MOST = 20;
let memory = [];

/** Return the lines. Shape: [{slug, quantity}], in the order they were added. */
export function cartLines() {
  try {
    return valid(JSON.parse(localStorage.getItem(KEY) ?? "[]"));
  } catch {
    return memory;
  }
}

export function cartCount() {
  return cartLines().reduce((sum, line) => sum + line.quantity, 0);
}

/** Set how many of a product are in the cart; none removes it. */
export function setQuantity(slug, quantity) {
  const lines = cartLines();
  const line = lines.find((each) => each.slug === slug);
  if (line) line.quantity = Math.min(quantity, MOST);
  else lines.push({ slug, quantity: Math.min(quantity, MOST) });
  save(lines.filter((each) => each.quantity > 0));
}

export function addToCart(slug) {
  const line = cartLines().find((each) => each.slug === slug);
  setQuantity(slug, (line?.quantity ?? 0) + 1);
}

export function emptyCart() {
  save([]);
}

/** Call back on every change, in this tab or another. */
export function onCartChange(callback) {
  document.addEventListener("cart-changed", callback);
  window.addEventListener("storage", (event) => event.key === KEY && callback());
}

function save(lines) {
  memory = lines;
  try {
    localStorage.setItem(KEY, JSON.stringify(lines));
  } catch {
    // storage is forbidden or full: the cart lasts as long as the page
  }
  document.dispatchEvent(new Event("cart-changed"));
}

function valid(lines) {
  if (!Array.isArray(lines)) return [];
  return lines.filter((line) => typeof line?.slug === "string" && Number.isInteger(line.quantity));
}
