/**
 * Sessions against a model: whatever tabs, clocks, pages and visitors do, in whatever order.
 *
 * Every event is seen as it is put into the queue. The model knows the session's last activity and what must come
 * next: the same session, another one, or either, where the clock or the second makes both right.
 */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import type { TrackedEvent } from "../src/types";
import { cookies, hide, openPage, type Page, pass, show, START_MS } from "./browser";

const MINUTE_MS = 60_000;
const TIMEOUT_MS = 30 * MINUTE_MS;
const DAY_MS = 864e5;
/** Activity is stored to the second, twice: when it is noted and when it is looked at. */
const GRAIN_MS = 2001;
const KEY = "footfall.default.";
const ID = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
const RUNS = 150;
const SEED = 20261125;

type Put = [visitor: [id: string], event: TrackedEvent];
type Expected = "same" | "new" | "either";

/** A storage that tells of each event that is put into the queue. */
const watchStorage = (puts: Put[]): void => {
  const storage = new Proxy({} as Record<string, string>, {
    set(target, key, text: string) {
      if (`${String(key)}`.startsWith(`${KEY}queue.`)) puts.push(JSON.parse(text) as Put);
      target[key as string] = text;
      return true;
    },
  });
  Object.defineProperty(globalThis, "localStorage", { configurable: true, writable: true, value: storage });
};

const msOf = (id: string): number => Number.parseInt(id.replace("-", "").slice(0, 12), 16);

const erase = (...keys: string[]): void => keys.forEach((key) => delete localStorage[KEY + key]);

/** What happens in one browser, and what must follow from it. */
class Model {
  puts: Put[] = [];
  tabs: Page[] = [];
  isDenied = false;
  private active_ms: number | undefined;
  private sessionId = "";
  private ended = new Set<string>();
  private visitorId: string | undefined;
  private read = 0;

  constructor() {
    cookies.jar.clear();
    watchStorage(this.puts);
  }

  async open(): Promise<void> {
    this.tabs.push(await openPage());
    this.check();
  }

  tab(index: number): Page | undefined {
    return this.tabs[index % this.tabs.length];
  }

  /** A person does something that is no event. */
  note(): void {
    const isAlive = Math.abs(Date.now() - this.active_ms!) <= TIMEOUT_MS;
    if (isAlive && !document.hidden && !this.isDenied) this.active_ms = Date.now();
  }

  /** The session is gone, so the next event starts another. */
  forget(): void {
    this.active_ms = undefined;
  }

  forgetVisitor(): void {
    this.forget();
    this.visitorId = undefined;
  }

  private expect(): Expected {
    if (this.active_ms === undefined) return "new";
    const idle_ms = Math.abs(Date.now() - this.active_ms);
    if (Math.abs(idle_ms - TIMEOUT_MS) <= GRAIN_MS) return "either";
    if (idle_ms > TIMEOUT_MS) return "new";
    return Date.now() <= msOf(this.sessionId) ? "either" : "same"; // the clock was set back before the start
  }

  /** Takes note of what the page or its user has erased for good. */
  look(): void {
    const kept = `${localStorage[`${KEY}visitor`]} ${[...cookies.jar.values()].join()}`;
    if (!kept.includes(this.visitorId!)) this.visitorId = undefined;
  }

  /** Looks at what was put since the last time. */
  check(): void {
    for (; this.read < this.puts.length; this.read++) {
      const [[visitorId], event] = this.puts[this.read]!;
      expect(this.isDenied).toBe(false);
      expect(visitorId).toBe((this.visitorId ??= visitorId));
      if (event.name === "$session_start") this.start(event);
      else this.goOn(event);
      expect(event.session_id).toBe(this.sessionId);
      this.active_ms = Date.now();
    }
  }

  private start({ id, session_id }: TrackedEvent): void {
    expect(this.expect()).not.toBe("same");
    expect(id).toBe(session_id);
    expect(id).toMatch(ID);
    expect(this.ended).not.toContain(id);
    expect(id).not.toBe(this.sessionId);
    this.ended.add(this.sessionId);
    this.sessionId = id;
    this.active_ms = Date.now();
  }

  private goOn({ id }: TrackedEvent): void {
    expect(this.expect()).not.toBe("new");
    // ids of one millisecond are in order within a tab only
    const length = this.tabs.length > 1 ? 14 : 36;
    expect(id.slice(0, length) >= this.sessionId.slice(0, length)).toBe(true);
  }
}

const nat = fc.nat(9);
const minutes = (most: number) => fc.nat(most * MINUTE_MS);
const DAMAGE = [
  "",
  "5",
  "{}",
  "null",
  "no JSON",
  '["a","b","c"]',
  '["",1795442602001,[]]',
  '["a",-1e999,{}]',
  "[[]]",
];

/** One thing that can happen; its name is shown when a run fails. */
type Step = [name: string, act: (model: Model) => unknown];

const step = (name: string, act: (model: Model) => unknown): fc.Arbitrary<Step> => fc.constant([name, act]);

const jump = (ms: number): void => void vi.setSystemTime(Date.now() + ms);

const onAll = (model: Model, act: (page: Page) => void) => model.tabs.forEach(act);

const track = nat.map((tab): Step => [`track in ${tab}`, (model) => model.tab(tab)?.tracker.track("Seen")]);

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: track },
  {
    weight: 5,
    arbitrary: fc
      .oneof(fc.nat(3000), minutes(60), fc.constantFrom(TIMEOUT_MS - 5000, TIMEOUT_MS + 5000))
      .map((ms): Step => [`${ms} ms pass`, () => pass(ms)]),
  },
  {
    weight: 2,
    arbitrary: fc
      .oneof(minutes(90), fc.nat(4 * DAY_MS))
      .map((ms): Step => [`sleep or clock forward ${ms}`, () => jump(ms)]),
  },
  {
    weight: 2,
    arbitrary: fc
      .oneof(minutes(90), fc.nat(4 * DAY_MS))
      .map((ms): Step => [`clock back ${ms}`, () => jump(-ms)]),
  },
  step("until just before midnight", () => jump(DAY_MS - 5000 - (Date.now() % DAY_MS))),
  {
    weight: 3,
    arbitrary: step("scroll", async (model) => {
      await pass(1001); // more than one look a second is not taken, by a clock that does not jump
      document.body.dispatchEvent(new Event("scroll"));
      model.note();
    }),
  },
  step("hide", hide),
  step("show", async (model) => {
    await pass(1001);
    show();
    model.note();
  }),
  step("back from the back/forward cache", () => {
    window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  }),
  step("the page erases everything", (model) => {
    Object.keys(localStorage).forEach((key) => delete localStorage[key]);
    model.forget();
  }),
  step("the page erases the session", (model) => {
    erase("session");
    model.forget();
  }),
  step("the page erases the visitor", () => erase("visitor")),
  step("the page erases the cookies", () => cookies.jar.clear()),
  fc.constantFrom(...DAMAGE).map((text): Step => [
    `the session becomes ${text}`,
    (model) => {
      localStorage[`${KEY}session`] = text;
      model.forget();
    },
  ]),
  fc.constantFrom(...DAMAGE).map((text): Step => [
    `the visitor becomes ${text}`,
    () => {
      localStorage[`${KEY}visitor`] = text;
    },
  ]),
  nat.map((tab): Step => [
    `logout in ${tab}`,
    (model) => {
      model.tab(tab)?.tracker.logout();
      model.check();
      if (model.tabs[0] && !model.isDenied) model.forgetVisitor();
    },
  ]),
  step("everything is denied", (model) => {
    onAll(model, ({ tracker }) => tracker.consent("denied"));
    model.check();
    model.isDenied = true;
    model.forgetVisitor();
  }),
  step("everything is granted", (model) => {
    model.isDenied = false;
    onAll(model, ({ tracker }) => tracker.consent("granted"));
  }),
  step("another tab", (model) => (model.tabs.length < 4 ? model.open() : undefined)),
  nat.map((tab): Step => [
    `tab ${tab} is closed`,
    (model) => model.tabs[1] && model.tabs.splice(tab % model.tabs.length, 1)[0]!.kill(),
  ]),
);

test.each([1, 3])("sessions are as the model says, beginning with %d tabs", async (count) => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), async (steps) => {
      vi.setSystemTime(START_MS);
      show();
      const model = new Model();
      try {
        for (let opened = 0; opened < count; opened++) await model.open();
        for (const [, act] of steps) {
          await act(model);
          model.check();
          model.look();
          await pass(1); // nobody does two things in one millisecond
        }
      } finally {
        model.tabs.forEach((page) => page.kill());
      }
    }),
    { numRuns: RUNS, seed: SEED },
  );
});
