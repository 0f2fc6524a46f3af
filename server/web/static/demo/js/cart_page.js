import { onCartChange, setQuantity } from "./cart.js";
import { element } from "./element.js";
import { euros } from "./money.js";
import { cartItems, total } from "./products.js";
import { track } from "./track.js";

const lines = document.getElementById("lines");

async function show() {
  const items = await cartItems();
  document.getElementById("cart").hidden = items.length === 0;
  document.getElementById("empty").hidden = items.length > 0;
  document.getElementById("total").textContent = euros(total(items));
  lines.replaceChildren(...items.map(row));
  return items;
}

function row(item) {
  return element(
    "li",
    {},
    element("a", { href: item.url }, element("img", { src: item.img, width: 800, height: 600, alt: "" })),
    element("div", {}, element("h2", {}, element("a", { href: item.url }, item.name)), element("p", {}, item.line)),
    quantity(item),
    element("span", { class: "price" }, euros(item.price * item.quantity)),
  );
}

function quantity(item) {
  const step = (label, sign, by) =>
    element("button", { type: "button", "aria-label": `${label} ${item.name}`, onclick: () => change(item, by) }, sign);
  return element(
    "div",
    { class: "quantity" },
    step("One less", "−", -1),
    element("span", { "aria-label": "Quantity" }, String(item.quantity)),
    step("One more", "+", 1),
  );
}

function change(item, by) {
  setQuantity(item.slug, item.quantity + by);
  const again = by > 0 ? "One more" : "One less";
  // the row is made anew: give the keyboard its button back
  changed.then(() => lines.querySelector(`[aria-label="${CSS.escape(`${again} ${item.name}`)}"]`)?.focus());
}

let changed = show();
onCartChange(() => {
  changed = show();
});

const items = await changed;
if (items.length > 0) {
  track("$cart_viewed", {
    $name: items.map((item) => item.name),
    $url: items.map((item) => item.url),
    $amount: items.map((item) => item.price),
    $img: items.map((item) => item.img),
  });
}
