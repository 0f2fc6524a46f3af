// Links to files of what the filter leaves. Rejected events are in no file: `GET /api/rejected` has them.
import { apiUrl } from "./api.js";
import { currentFilter, onFilterChange } from "./filters.js";

const links = [...document.querySelectorAll("[data-export]")];

/** Let the links follow the filter. */
export function startExport() {
  onFilterChange(show);
  show();
}

function show() {
  const { show: verdict, ...filter } = currentFilter();
  document.getElementById("export").hidden = verdict === "rejected";
  for (const link of links) link.href = apiUrl("export", { format: link.dataset.export, ...filter });
}
