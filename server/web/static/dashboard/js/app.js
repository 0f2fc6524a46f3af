// The dashboard: titles first, because rows and cards show them; then everything at once.
import { markStale, startCounts } from "./counts.js";
import { startEvents } from "./events.js";
import { loadNames } from "./names.js";
import "./snippet.js";
import { loadTitles } from "./titles.js";
import "./views.js";

try {
  await loadTitles();
} catch {
  // names without titles will do
}

startEvents(markStale);
startCounts();
document.querySelector('#filters [name="name"]').addEventListener("focus", loadNames);
