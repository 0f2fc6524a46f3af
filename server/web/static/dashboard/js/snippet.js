// The snippet to paste. Behind a proxy the server may not know its own public address; the browser does.
import { wireCopy } from "./copy.js";

const here = new URL(".", document.baseURI).href.replace(/\/$/, "");

for (const snippet of document.querySelectorAll("[data-snippet]")) {
  snippet.textContent = snippet.textContent.replaceAll(`${snippet.dataset.server}/`, `${here}/`);
  wireCopy(snippet.parentElement.querySelector("[data-copy]"), () => snippet.textContent);
}
