// Which rows are wanted. The page's address holds it, so that it can be kept, sent and gone back to.

const NAMES = ["site", "name", "visitor_id", "user_id", "show"];
const DEFAULT_SITE = "default";

const form = document.getElementById("filters");

/** The sites there are, by their keys. */
export const sites = [...form.elements.namedItem("site").options].map((option) => option.value).filter(Boolean);

/** Return the filter of the address. Shape: {site, name, visitor_id, user_id, show}, "" where anything goes. */
export function currentFilter() {
  const query = new URL(location.href).searchParams;
  const filter = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
  // the only site is asked for by its name too: the store may hold what is of none, such as the demo shop's events
  if (!sites.includes(filter.site)) filter.site = sites.length === 1 ? sites[0] : "";
  return filter;
}

/** Return whether some of the chosen site's rows are left out. */
export function isFiltered() {
  const { site, ...others } = currentFilter();
  return Object.values(others).some(Boolean);
}

/** Return whether rows of several sites are shown, so that each must name its own. */
export function isMixed() {
  return sites.length > 1 && currentFilter().site === "";
}

/** Return whether a row is wanted. */
export function matches(item, filter) {
  return (
    isOfSite(item, filter.site) &&
    (!filter.name || item.name === filter.name) &&
    (!filter.visitor_id || item.visitor_id === filter.visitor_id) &&
    (!filter.user_id || item.user_id === filter.user_id) &&
    (!filter.show || (item.verdict === "rejected") === (filter.show === "rejected"))
  );
}

/** Return the site whose rejected events to ask for: of the only site, also those that named none. */
export function refusalSite(filter) {
  return sites.length > 1 ? filter.site : "";
}

/** What was rejected before its site was known counts for the site `default`, as in the API, or for the only one. */
function isOfSite({ site }, wanted) {
  return !wanted || site === wanted || (site === null && (wanted === DEFAULT_SITE || sites.length === 1));
}

/** Change some of the filter and go there. */
export function setFilter(changes) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  if (url.href === location.href) return fillForm();
  history.pushState(null, "", url);
  document.dispatchEvent(new Event("filter-changed"));
}

/** Return the change of filter that leaves one visitor or user. */
export function onlyBy({ visitor_id = "", user_id = "" }) {
  return { visitor_id, user_id };
}

/** Call back whenever another filter is in force. */
export function onFilterChange(callback) {
  document.addEventListener("filter-changed", callback);
  window.addEventListener("popstate", callback);
}

function fillForm() {
  const { visitor_id, user_id, ...others } = currentFilter();
  for (const [name, value] of Object.entries(others)) form.elements.namedItem(name).value = value;
  form.elements.namedItem("who").value = visitor_id || user_id;
}

// not by a listener of the form: the choice of a site stands elsewhere on the page
for (const select of [...form.elements].filter((control) => control.matches("select"))) {
  select.addEventListener("change", () => setFilter({ [select.name]: select.value }));
}
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("clear").addEventListener("click", () => {
  setFilter({ name: "", visitor_id: "", user_id: "", show: "" });
});

onFilterChange(fillForm);
fillForm();
