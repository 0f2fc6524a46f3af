// The dashboard: titles first, because rows and cards show them; then everything at once.
import { markStale, startCounts } from "./counts.js";
import { startEvents } from "./events.js";
import { startExport } from "./export.js";
import { startFinding } from "./finding.js";
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
startFinding(document.getElementById("filters"));
startExport();
