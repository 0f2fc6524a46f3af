// Where arriving rows wait: for the next frame, or for the end of a pause.

const MOST = 500;

/** Return an inbox. deliver(items) gets what waited; overflow() is called instead when that was more than is kept. */
export function createInbox({ deliver, overflow, onWaiting }) {
  let waiting = [];
  let isOverflown = false;
  let isPaused = false;
  let frame = 0;

  function flush() {
    frame = 0;
    if (isPaused) return;
    const items = waiting;
    waiting = [];
    if (!isOverflown) return deliver(items);
    isOverflown = false;
    overflow();
  }

  return {
    put(item) {
      waiting.push(item);
      if (waiting.length > MOST) {
        waiting.shift();
        isOverflown = true;
      }
      if (isPaused) onWaiting(waiting, isOverflown);
      // hidden pages get no frames: what arrives then waits, and too much of it is asked for anew
      else frame ||= requestAnimationFrame(flush);
    },
    setPaused(value) {
      isPaused = value;
      if (!isPaused) flush();
    },
    isPaused: () => isPaused,
  };
}
