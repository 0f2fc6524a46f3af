// Stands before the tracker's script, so that no event is missed: what is heard waits here for panel.js.
(function () {
  const heard = (window.trackerHeard = []);
  const hear = (topic) =>
    function (payload, ...more) {
      try {
        heard.push([topic, JSON.parse(JSON.stringify(payload ?? null)), more]);
      } catch {
        return; // an event that is no JSON is the tracker's to drop
      }
      document.dispatchEvent(new Event("tracker-heard"));
    };
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
