// Keeps the panel over a navigation, in this tab only.

const ENTRIES = "kittiwake-panel";
const STATE = "kittiwake-panel-state";

export function loadEntries() {
  try {
    const entries = JSON.parse(sessionStorage.getItem(ENTRIES) ?? "[]");
    return Array.isArray(entries) ? entries : [];
  } catch {
    return [];
  }
}

export function saveEntries(entries) {
  save(ENTRIES, JSON.stringify(entries));
}

export function saveOpen(isOpen) {
  save(STATE, isOpen ? "open" : "closed");
}

function save(key, value) {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // without storage the panel starts anew on each page
  }
}
