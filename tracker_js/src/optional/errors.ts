/** `Script error`: what failed in the page's own scripts; each fault once in a page, ten of them at most. */
import type { Plugin } from "../plugin";

const MAX_ERRORS = 10;
const MAX_LENGTH = 255;

const errors: Plugin = (tracker, listen, bare) => {
  const told = new Set<string>();

  /** Returns a text without what its addresses carry in query and hash. */
  const clean = (text: unknown): string =>
    `${text as string}`.replace(/https?:[^\s)"']+/g, bare).slice(0, MAX_LENGTH);

  const tell = (message: unknown, source: string, line?: number, column?: number): void => {
    const props = { message: clean(message), source: bare(source), line, column };
    const key = JSON.stringify(props);
    if (!told.has(key) && told.size < MAX_ERRORS) {
      told.add(key);
      tracker.track("Script error", props);
    }
  };

  listen("error", ({ message, filename, lineno, colno }: ErrorEvent) => {
    // a picture that does not load is told here too, and has no message
    if (message) tell(message, filename, lineno, colno);
  });
  listen("unhandledrejection", ({ reason }: PromiseRejectionEvent) => {
    const [, source = "", line, column] = /(https?:\S+?):(\d+):(\d+)/.exec(`${reason?.stack}`) || [];
    tell(reason, source, line ? +line : undefined, column ? +column : undefined);
  });
};

export default errors;
