// What every page of the shop does.
import { cartCount, onCartChange } from "./cart.js";
import "./newsletter.js";
import "./panel/panel.js";

const count = document.querySelector("[data-cart-count]");

function showCount() {
  count.textContent = String(cartCount());
  count.hidden = cartCount() === 0;
}

onCartChange(showCount);
showCount();
