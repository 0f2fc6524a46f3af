import { euros } from "./money.js";
import { lastOrder, saveOrder } from "./order.js";
import { track } from "./track.js";

const page = document.getElementById("thanks");
const form = document.getElementById("cancel");
const order = lastOrder();

function show() {
  page.querySelector("[data-order-name]").textContent = order.name ? `, ${order.name}` : "";
  page.querySelector("[data-order-id]").textContent = order.human;
  page.querySelector("[data-order-amount]").textContent = euros(order.amount);
  if (order.cancelled) showCancelled();
}

function showCancelled() {
  document.getElementById("thanks-title").textContent = "Cancelled.";
  document.getElementById("thanks-line").textContent = `Order ${order.human} is off the bench. No hard feelings.`;
  form.hidden = true;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  track("$order_cancelled", { $order_id: order.id, $comment: form.reason.value });
  order.cancelled = true;
  saveOrder(order);
  showCancelled();
});

page.hidden = order === null;
document.getElementById("empty").hidden = order !== null;
if (order) show();
