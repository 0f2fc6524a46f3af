/** The public types of the tracker. */
import type { Props, PropsOf, TrackArguments } from "./catalogue";

export type { Props, PropsOf, SystemEvents, TrackArguments } from "./catalogue";

/** The page on which something happened. */
export interface Page {
  url: string;
  title: string;
  referrer: string;
}

/** One event as it travels. Shape: id is a UUID of version 7, time RFC 3339 in UTC with milliseconds. */
export interface TrackedEvent {
  id: string;
  name: string;
  time: string;
  session_id: string;
  page: Page;
  props: Props;
}

/** The server's verdict on a batch. Shape: index counts within the batch, code is stable, message is for people. */
export interface Answer {
  accepted: number;
  duplicate: number;
  rejected: { index: number; id: string; code: string; message: string }[];
  warnings: { index: number; code: string; message: string }[];
}

/** A change of the user's properties; several are executed in order. */
export interface Operation {
  op: "update_or_create" | "set_once" | "add" | "append" | "union" | "exclude" | "delete";
  key: string;
  value?: unknown;
}

/** What listeners of each topic receive. */
export interface Topics {
  /** An event about to be queued. Change it in place; return false to veto it. */
  event: TrackedEvent;
  /** A batch that the server has answered. */
  sent: { events: TrackedEvent[]; answer: Answer };
  /**
   * An event that will not arrive, and why: `vetoed`, `rate_limited`, `queue_full`, `too_old`, `denied`, `gpc`, `dnt`,
   * `not_json`, `too_large`, `http_<status>`, or the code of the server's refusal.
   */
  drop: { event: TrackedEvent; reason: string };
  /** A session that started with this page's event. */
  session: { session_id: string; visitor_id: string };
}

export type AuthResult = { ok: true } | { ok: false; reason: string };

/**
 * How a tracker is set up: the `data-*` attributes of the script tag, in camel case.
 * Switches are on when present, unless they say "false".
 */
export interface Options {
  /** The key of the site; `default` when left out. */
  site?: string;
  /** The address of the server, when it is not the one that the script came from. */
  api?: string;
  /** Automatic events to leave out, without the dollar sign, separated by commas. */
  disable?: string;
  /** Whether a change of the hash is a new page view. */
  hashRoutes?: boolean | string;
  /** After how many minutes without activity a session ends; 30 when left out. */
  sessionMinutes?: number | string;
  /** The domain of the cookie; the widest that works when left out. */
  cookieDomain?: string;
  /** `required`: nothing is stored or sent before `consent("granted")`. */
  consent?: string;
  /** Whether to track visitors who send Global Privacy Control. */
  ignoreGpc?: boolean | string;
  /** Whether to honour Do Not Track. */
  dnt?: boolean | string;
  /** Whether scrolling up fast and going back count as attempts to leave on touch screens; script tag only. */
  leaveTouch?: string;
  /** Optional plugins to load, separated by commas; of the script tag only, the package imports them. */
  plugins?: string;
}

/** A document in which the package runs. */
export interface Started {
  tracker?: Tracker;
}

/** What `window.tracker` offers, and what `start` of the package returns. */
export interface Tracker {
  readonly version: string;
  /** Records an event and returns its id. System events are checked against the catalogue by TypeScript. */
  track<const Name extends string, Given extends PropsOf<Name>>(
    name: Name,
    ...props: TrackArguments<Name, Given>
  ): string;
  /** Records a page view by hand, for sites that switch the automatic ones off. */
  page(props?: Props): string;
  /** Changes the user's properties: an object to set, or operations. */
  identify(data: Props | readonly Operation[]): string;
  /** Says who the visitor is; hash is the site's signature of the user id. Never rejects. */
  auth(userId: string | number, hash: string): Promise<AuthResult>;
  /** Records `$logout`; what follows belongs to a new visitor. */
  logout(): void;
  /** Adds properties to every later event of this page. */
  set(props: Props): void;
  /** Notes the visitor's decision; `denied` also forgets everything that was kept. */
  consent(decision: "granted" | "denied"): void;
  optOut(): void;
  optIn(): void;
  /** Resolves when everything recorded so far was answered, after five seconds at the latest. */
  flush(): Promise<void>;
  on<Topic extends keyof Topics>(topic: Topic, listener: (payload: Topics[Topic]) => unknown): void;
  off<Topic extends keyof Topics>(topic: Topic, listener: (payload: Topics[Topic]) => unknown): void;
  /** Calls back as soon as the tracker runs. */
  onReady(callback: () => void): void;
  /** Prints everything that happens, and every fault, to the console. */
  debug(isOn: boolean): void;
}
