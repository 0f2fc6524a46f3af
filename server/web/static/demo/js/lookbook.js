// A small router: links with data-route change the address and the view without loading a page.

const book = document.getElementById("lookbook");
const base = new URL(book.dataset.base, document.baseURI);
const views = [...book.querySelectorAll("[data-view]")];
const suffix = document.title.slice(document.title.lastIndexOf(" · "));

function show() {
  const slug = location.pathname.slice(base.pathname.length);
  const current = views.find((view) => view.dataset.view === slug) ?? views[0];
  for (const view of views) view.hidden = view !== current;
  document.title = current.dataset.title + suffix;
  return current;
}

book.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-route]");
  if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  show().querySelector("h1").focus({ preventScroll: true });
  scrollTo(0, 0);
});

window.addEventListener("popstate", show);
