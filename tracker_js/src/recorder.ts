/**
 * Makes events and brings them to the queue, in the order of the calls.
 *
 * Contract
 *   Without consent yet, or in a prerendered page, events are held in memory, with the time and page of their
 *   making; session and visitor are decided when they are released, because deciding reads and writes storage.
 *   A session's first event is preceded by its `$session_start`.
 */
import type { Props } from "./catalogue";
import { isPending, readRefusal } from "./consent";
import { takeToken } from "./limit";
import { isDisabled } from "./options";
import { readPage, readTime } from "./page";
import { putEvent } from "./queue";
import { kick } from "./sender";
import { enterSession, isFirstSeen } from "./session";
import { emit, tellDrop } from "./topics";
import type { Page, TrackedEvent } from "./types";
import { uuid } from "./uuid";
import { readVisitor, type Visitor } from "./visitor";

const MAX_HELD = 1000;

type Held = [event: TrackedEvent, campaign?: string | undefined];

/** Properties of every event, but for those that are operations on the user. */
export const common: Props = {};
const held: Held[] = [];

const put = (event: TrackedEvent, visitor: Visitor): unknown => {
  const { id } = event;
  if (!emit("event", event)) return tellDrop(event, "vetoed");
  event.id = id; // the queue relies on it
  try {
    putEvent(visitor, event);
  } catch {
    return tellDrop(event, "not_json");
  }
  return kick();
};

const commit = (event: TrackedEvent, campaign?: string): unknown => {
  const refusal = readRefusal();
  if (refusal) return tellDrop(event, refusal);
  if (isPending()) {
    return held[MAX_HELD] ? tellDrop(event, "queue_full") : held.push([event, campaign]);
  }
  const visitor = readVisitor();
  const [session_id, isNew] = enterSession(event.id, visitor[0]);
  event.session_id = session_id;
  if (isNew) {
    emit("session", { session_id, visitor_id: visitor[0] });
    // the server adds the session's attributes: each beacon says them already
    if (!isDisabled("$session_start"))
      put({ ...event, id: session_id, name: "$session_start", props: { ...common } }, visitor);
  }
  return (!campaign || isFirstSeen(campaign)) && put(event, visitor);
};

/**
 * Records an event and returns its id, whatever becomes of it.
 * Shape: with `campaign`, only the first event of the session with that campaign is kept.
 */
export const record = (name: string, props: Props, page = readPage(), campaign?: string): string => {
  const event: TrackedEvent = {
    id: uuid(),
    name,
    time: readTime().toISOString(),
    session_id: "",
    page,
    props,
  };
  if (takeToken()) commit(event, campaign);
  else tellDrop(event, "rate_limited");
  return event.id;
};

/** Records what happened by itself, unless that is switched off. */
export const recordAutomatic = (name: string, props: Props, page?: Page, campaign?: string): void => {
  if (!isDisabled(name)) record(name, { ...common, ...props }, page, campaign);
};

/** Takes up the held events after a decision. */
export const release = (): void => held.splice(0).forEach((each) => commit(...each));
