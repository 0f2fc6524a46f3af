// Stands before the tracker's script, so that no event is missed: what is heard waits here for panel.js.
(function () {
  const ANSWER = "kittiwake-panel-answer";
  const heard = (window.trackerHeard = []);
  const tell = (topic, payload) => {
    heard.push([topic, payload]);
    document.dispatchEvent(new Event("tracker-heard"));
  };
  const hear = (topic) => (payload) => {
    try {
      const text = JSON.stringify(payload ?? null);
      tell(topic, JSON.parse(text));
      // one tab sends for all tabs: it tells the others what the server answered
      if (topic === "sent") {
        localStorage.setItem(ANSWER, text);
        localStorage.removeItem(ANSWER);
      }
    } catch {
      // an event that is no JSON is the tracker's to drop; without storage each tab speaks for itself
    }
  };
  window.addEventListener("storage", ({ key, newValue }) => {
    if (key === ANSWER && newValue) tell("sent", JSON.parse(newValue));
  });
  for (const topic of ["event", "sent", "drop"]) window.tracker?.on?.(topic, hear(topic));
  window.tracker?.onReady?.(hear("ready"));
  let open = matchMedia("(min-width: 1000px)").matches;
  try {
    open = { open: true, closed: false }[sessionStorage.getItem("kittiwake-panel-state")] ?? open;
  } catch {
    // storage is forbidden: the default will do
  }
  document.documentElement.dataset.panel = open ? "open" : "closed";
})();
