// The last order of this tab. Shape: {id, human, amount, name, cancelled}.

const KEY = "kittiwake-order";

export function saveOrder(order) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(order));
  } catch {
    // without storage the thank-you page says that there is no order
  }
}

export function lastOrder() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}
