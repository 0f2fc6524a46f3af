/** What a shop does with the tracker: it tells of a purchase in the listener of a click. Measured is that listener. */
const buy = document.getElementById("buy");
let told = "";
buy.addEventListener("click", () => {
  told = tracker.track("Bicycle bought", { plan: "pro", amount: 990, gears: ["3", "7"], note: "Two brakes, one bell" });
});

const task = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = resolve;
    port2.postMessage(0);
  });

/** Clicks, each time in a task of its own; the clock goes on, so that the cap on runaway loops is not what is measured. */
const press = async (count, isKept) => {
  for (let number = 0; number < count; number++) {
    ahead_ms += 150;
    buy.click();
    // the queue stays as long as it was
    if (!isKept) localStorage.removeItem(`footfall.default.queue.${told}`);
    await task();
  }
};
