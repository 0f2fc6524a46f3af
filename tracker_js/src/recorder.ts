/**
 * Makes events and brings them to the queue, in the order of the calls.
 *
 * Contract
 *   Without consent yet, or in a prerendered page, events are held in memory, with the time and page of their
 *   making; session and visitor are decided when they are released, because deciding reads and writes storage.
 *   A session's first event is preceded by its `$session_start`.
 */
import type { Props } from "./catalogue";
import { GRANTED, readConsent } from "./consent";
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

/** Properties of every event, but for those that are operations on the user. */
export const common: Props = {};
const held: Parameters<typeof commit>[] = [];

const put = (event: TrackedEvent, visitor: Visitor): unknown => {
  const { id } = event;
  if (!emit("event", event)) return tellDrop(event, "vetoed");
  event.id = id; // the queue relies on it
  return putEvent(visitor, event, kick);
};

const commit = (event: TrackedEvent, campaign?: string): unknown => {
  const consent = readConsent();
  if (consent !== GRANTED) return tellDrop(event, consent as string);
  const visitor = readVisitor();
  if (enterSession(event, visitor[0])) {
    const { session_id } = event;
    emit("session", { session_id, visitor_id: visitor[0] });
    // the server adds the session's attributes: each beacon says them already
    if (!isDisabled("$session_start"))
      put({ ...event, id: session_id, name: "$session_start", props: { ...common } }, visitor);
  }
  return (!campaign || isFirstSeen(campaign)) && put(event, visitor);
};

/** Takes up what is held, once it is decided. */
export const release = (): void => {
  while (held[0] && readConsent()) commit(...held.shift()!);
};

/**
 * Records an event and returns its id, whatever becomes of it.
 * Shape: with `campaign`, only the first event of the session with that campaign is kept.
 */
export const record = (name: string, props: Props, page = readPage(), campaign?: string): string => {
  const event = {
    id: uuid(),
    name,
    time: readTime().toISOString(),
    session_id: "",
    page,
    props,
  } as TrackedEvent;
  const reason = takeToken() ? held[MAX_HELD] && "queue_full" : "rate_limited";
  if (reason) tellDrop(event, reason);
  else held.push([event, campaign]);
  release();
  return event.id;
};

/** Records what happened by itself, unless that is switched off. */
export const recordAutomatic = (name: string, props: Props, page?: Page, campaign?: string): void => {
  if (!isDisabled(name)) record(name, { ...common, ...props }, page, campaign);
};
