// Which rows are wanted. The page's address holds it, so that it can be kept, sent and gone back to.

const NAMES = ["name", "visitor_id", "show"];

const form = document.getElementById("filters");

/** Return the filter of the address. Shape: {name, visitor_id, show}, "" where anything goes. */
export function currentFilter() {
  const query = new URL(location.href).searchParams;
  return Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
}

export function isFiltered() {
  return Object.values(currentFilter()).some(Boolean);
}

/** Return whether a row is wanted. */
export function matches(item, filter) {
  return (
    (!filter.name || item.name === filter.name) &&
    (!filter.visitor_id || item.visitor_id === filter.visitor_id) &&
    (!filter.show || (item.verdict === "rejected") === (filter.show === "rejected"))
  );
}

/** Change some of the filter and go there. */
export function setFilter(changes) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  if (url.href === location.href) return;
  history.pushState(null, "", url);
  document.dispatchEvent(new Event("filter-changed"));
}

/** Call back whenever another filter is in force. */
export function onFilterChange(callback) {
  document.addEventListener("filter-changed", callback);
  window.addEventListener("popstate", callback);
}

function fillForm() {
  for (const [name, value] of Object.entries(currentFilter())) form.elements.namedItem(name).value = value;
}

form.addEventListener("change", (event) => setFilter({ [event.target.name]: event.target.value.trim() }));
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("clear").addEventListener("click", () => {
  setFilter(Object.fromEntries(NAMES.map((name) => [name, ""])));
});

onFilterChange(fillForm);
fillForm();
