// A line at the foot of the page that says what just happened.

const SHOWN_MS = 4000;
const toast = document.getElementById("toast");
let timer;

/** Show text, and behind it an optional link. */
export function showToast(text, link) {
  toast.replaceChildren(text, ...(link ? [" ", link] : []));
  toast.dataset.shown = "";
  clearTimeout(timer);
  timer = setTimeout(() => delete toast.dataset.shown, SHOWN_MS);
}
