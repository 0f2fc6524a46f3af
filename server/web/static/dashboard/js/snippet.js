// The snippets to paste, of the chosen site. Behind a proxy the server may not know its own public address; the browser
// does.
import { wireCopy } from "./copy.js";
import { currentFilter, onFilterChange } from "./filters.js";

const here = new URL(".", document.baseURI).href.replace(/\/$/, "");
const dialog = document.getElementById("snippets");

for (const snippet of document.querySelectorAll("[data-snippet]")) {
  snippet.textContent = snippet.textContent.replaceAll(`${snippet.dataset.server}/`, `${here}/`);
  wireCopy(snippet.parentElement.querySelector("[data-copy]"), () => snippet.textContent);
}

function showChosen() {
  const { site } = currentFilter();
  const ofSites = [...document.querySelectorAll("[data-of-site]")];
  for (const each of ofSites) each.hidden = site !== "" && each.dataset.ofSite !== site;
  // the demo shop's site has none: its pages have theirs already
  const isAny = ofSites.some((each) => !each.hidden);
  for (const each of document.querySelectorAll("[data-paste]")) each.hidden = !isAny;
}

document.getElementById("show-snippets").addEventListener("click", () => dialog.showModal());
// a click on the dialog itself is one beside its content
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
onFilterChange(showChosen);
showChosen();
