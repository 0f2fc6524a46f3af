// Keeps the panel over a navigation, in this tab only.

const ENTRIES = "kittiwake-panel";
const STATE = "kittiwake-panel-state";

/** Return what earlier pages of this tab heard. */
export function loadEntries() {
  try {
    const entries = JSON.parse(sessionStorage.getItem(ENTRIES) ?? "[]");
    return Array.isArray(entries) ? entries.map((entry) => ({ ...entry, isEarlier: true })) : [];
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
