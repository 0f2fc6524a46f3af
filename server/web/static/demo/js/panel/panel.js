// The side panel: what the tracker said so far, then what it says now.
import { entryElement } from "./entry.js";
import { afterTopic } from "./log.js";
import { loadEntries, saveEntries, saveOpen } from "./store.js";

const GRACE_MS = 1500; // how long after load a tracker that was not blocked needs to say that it is there

const panel = document.getElementById("panel");
const bar = panel.querySelector(".panel-bar");
const list = panel.querySelector("[data-panel-list]");
const state = panel.querySelector("[data-panel-state]");

let entries = loadEntries();
let isReady = false;

function drain() {
  for (const [topic, payload] of window.trackerHeard.splice(0)) {
    isReady = true; // whoever says anything has loaded
    entries = afterTopic(entries, topic, payload, Date.now());
  }
  saveEntries(entries);
  show();
}

function show() {
  const opened = new Set([...list.querySelectorAll("details[open]")].map((each) => each.dataset.id));
  list.replaceChildren(...entries.map((entry) => entryElement(entry, opened.has(entry.id))));
  panel.querySelector(".panel-empty").hidden = entries.length > 0;
  panel.querySelector("[data-panel-sum]").textContent =
    `${entries.length} ${entries.length === 1 ? "event" : "events"}`;
  if (isReady) showListening();
}

function showListening() {
  const waiting = entries.filter((entry) => entry.verdict === "waiting").length;
  state.textContent = waiting ? `Listening, ${waiting} not yet answered` : "Listening, all answered";
  panel.dataset.state = "ready";
}

function setOpen(isOpen) {
  document.documentElement.dataset.panel = isOpen ? "open" : "closed";
  bar.setAttribute("aria-expanded", String(isOpen));
  saveOpen(isOpen);
}

function showBlocked() {
  if (isReady) return;
  state.textContent = "The tracker’s script did not load. The shop works without it.";
  panel.dataset.state = "blocked";
}

bar.addEventListener("click", () => setOpen(document.documentElement.dataset.panel !== "open"));
bar.setAttribute("aria-expanded", String(document.documentElement.dataset.panel === "open"));

panel.querySelector("[data-panel-clear]").addEventListener("click", () => {
  entries = entries.filter((entry) => entry.verdict === "waiting");
  saveEntries(entries);
  show();
});

document.addEventListener("tracker-heard", drain);
drain();

const afterLoad = () => setTimeout(showBlocked, GRACE_MS);
if (document.readyState === "complete") afterLoad();
else window.addEventListener("load", afterLoad);
