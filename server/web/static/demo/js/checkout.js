// The order is made here and nowhere else: nothing of the form is ever sent to a server.
import { emptyCart } from "./cart.js";
import { element } from "./element.js";
import { euros } from "./money.js";
import { saveOrder } from "./order.js";
import { cartItems, total } from "./products.js";
import { track } from "./track.js";

const checkout = document.getElementById("checkout");
const form = document.getElementById("order");
const accountFields = document.getElementById("account-fields");
const items = await cartItems();

form.account.addEventListener("change", () => {
  accountFields.hidden = !form.account.checked;
  form.password.disabled = !form.account.checked;
  form.password.required = form.account.checked;
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = form.elements.namedItem("name").value;
  if (form.account.checked) track("$registered", { $name: name, $email: form.email.value });
  const order = { id: crypto.getRandomValues(new Uint32Array(2)).join(""), amount: total(items), name };
  order.human = `KW-${order.id.slice(-5)}`;
  track("$order_completed", { $order_id: order.id, $order_id_human: order.human, $order_amount: order.amount });
  saveOrder(order);
  emptyCart();
  location.assign(checkout.dataset.thanks);
});

function showItems() {
  document.getElementById("total").textContent = euros(total(items));
  document
    .getElementById("short-lines")
    .replaceChildren(
      ...items.map((item) =>
        element(
          "li",
          {},
          element("img", { src: item.img, width: 800, height: 600, alt: "" }),
          element("span", {}, item.quantity > 1 ? `${item.quantity} × ${item.name}` : item.name),
          element("span", { class: "price" }, euros(item.price * item.quantity)),
        ),
      ),
    );
}

checkout.hidden = items.length === 0;
document.getElementById("empty").hidden = items.length > 0;
if (items.length > 0) {
  showItems();
  track("$order_started");
}
