/** What the page can do with the tracker, see `Tracker` in types.ts, and its start. */
import { startAutomatic } from "./automatic";
import { askHints, version } from "./beacon";
import type { Props } from "./catalogue";
import { denyConsent, GRANTED, grantConsent, isAllowed } from "./consent";
import { guard, listen } from "./guard";
import { setOptions } from "./options";
import { describePage, readPage, setMoment } from "./page";
import { clearQueue, isQueued, loadQueued, readAuthRefusal } from "./queue";
import { common, record, release } from "./recorder";
import { flush, startSender } from "./sender";
import { endSession, GRAIN_MS, renewSession } from "./session";
import { erase, findKeys, isForgetful } from "./storage";
import type { Stub, StubCall } from "./stub";
import { debug, emit, off, on } from "./topics";
import { setBase } from "./transport";
import type { AuthResult, Operation, Options, Tracker } from "./types";
import { uuid } from "./uuid";
import { forgetVisitor, readVisitor, setVisitor } from "./visitor";

type Methods = Record<string, (...args: never[]) => unknown>;

/** Calls of the stub before which the landing is recorded: track, page, identify, auth, logout, flush. */
const AFTER_LANDING = /^[tpialf]/;

let tellView: (() => void) | undefined;

const track = (name: string, props?: Props): string => {
  tellView?.();
  return record(name, { ...common, ...props });
};

const decide = (isGranted: boolean): void => {
  if (isGranted) {
    grantConsent(readVisitor); // each of the tabs would draw one of its own
  } else {
    clearQueue("denied");
    findKeys("").forEach(erase);
    forgetVisitor();
    denyConsent();
  }
  release();
};

const auth = async (userId: string | number, hash: string): Promise<AuthResult> => {
  const user_id = guard(() => `${userId}`)();
  const id = record("$auth", { user_id, hash });
  const [visitor] = loadQueued(id);
  await flush();
  const reason = visitor && isAllowed() ? (isQueued(id) ? "pending" : readAuthRefusal(id)) : "dropped";
  if (reason) return { ok: false, reason };
  const [visitor_id, known_id] = readVisitor();
  // after a logout it is another one, to whom the answer means nothing
  if (visitor_id === visitor![0] && known_id !== user_id) {
    setVisitor(visitor_id, user_id!);
    track("$authorized");
  }
  return { ok: true };
};

const methods: Methods = {
  track,
  page: (props?: Props) => track("$page_view", { ...describePage(readPage()), ...props }),
  identify: (data: Props | readonly Operation[]) =>
    record("$identify", {
      operations: Array.isArray(data)
        ? data
        : Object.entries(data).map(([key, value]) => ({
            op: "update_or_create",
            key,
            value: value as unknown,
          })),
    }),
  auth,
  logout() {
    track("$logout");
    if (isAllowed()) {
      endSession();
      setVisitor(uuid(), null);
    }
  },
  set: (props: Props) => Object.assign(common, props),
  consent: (decision: string) => decide(decision === GRANTED),
  optOut: () => decide(false),
  optIn: () => decide(true),
  flush() {
    tellView?.();
    return flush();
  },
  on,
  off,
  onReady: (callback: () => void) => callback(),
  debug(isOn: boolean) {
    debug(isOn);
    // found out when nobody could have listened yet
    if (isForgetful()) emit("fault", "storage");
  },
};

export const tracker = { version } as unknown as Tracker & Methods;

for (const name in methods) tracker[name] = guard(methods[name]!);

export const carryOut = ([method, args, time_ms, url, resolve]: StubCall): void => {
  setMoment(time_ms, url);
  resolve(tracker[method]!(...(args as never[])));
  setMoment();
};

/** Starts what is recorded by itself, and carries out the stub's calls in their order. */
export const startTracker = (
  options: Options,
  script: string,
  stub: Partial<Stub>,
  calls: StubCall[],
): void => {
  setOptions(options);
  setBase(script, options.api);
  askHints();
  if (/[?&]footfall_optout/.test(location.search)) decide(false);
  // a prerendered page is shown; another tab has noted a decision
  listen("prerenderingchange storage", release);
  let quiet_ms: number;
  listen("pointermove pointerdown keydown scroll visibilitychange", ({ timeStamp }: Event) => {
    // a pointer moves sixty times a second; what the last second has noted is not worth a look into the storage
    if (timeStamp < quiet_ms || document.hidden) return;
    quiet_ms = timeStamp + GRAIN_MS;
    if (isAllowed()) renewSession();
  });
  const start = guard((): void => {
    tellView = tellView || startAutomatic(stub);
  });
  calls.forEach((call) => {
    if (AFTER_LANDING.test(call[0])) start();
    carryOut(call);
  });
  start();
  startSender();
};
