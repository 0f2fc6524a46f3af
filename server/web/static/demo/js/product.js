import { addToCart } from "./cart.js";
import { element } from "./element.js";
import { shopUrl } from "./products.js";
import { showToast } from "./toast.js";
import { track } from "./track.js";

const { slug, name, price } = document.getElementById("product").dataset;

const props = {
  $name: name,
  $url: shopUrl(`bicycles/${slug}`),
  $amount: Number(price),
  $img: shopUrl(`static/pictures/${slug}.svg`),
};

track("$product_viewed", props);

document.getElementById("add").addEventListener("click", () => {
  addToCart(slug);
  track("$cart_added", props);
  showToast(`${name} is in your cart.`, element("a", { href: shopUrl("cart") }, "Open the cart"));
});
