/**
 * One stretch of activity, shared by all tabs of the site through storage and decided anew at every event.
 *
 * Shape:  stored as [session_id, last activity, ...campaigns already seen].
 *         A session ends after 30 minutes without activity: an event, a pointer, a key, a scroll, the tab shown.
 *         Activity after the end extends nothing: the next event starts the next session.
 *         The id of a session, which is also the id of its `$session_start`, is derived from the visitor and from
 *         the moment at which the session before ended: tabs that wake up together derive the same one, so the
 *         server stores one start although each of them reports it. Where none ended, or the clock was set back, it
 *         is derived from the moment of the first event. Either way it sorts before the events of the session.
 * Units:  times are milliseconds since the epoch by the visitor's clock, which may jump: a jump further than the
 *         timeout, in either direction, starts a session, and so does one to before the session's start.
 */
import { options } from "./options";
import { erase, loadList, save } from "./storage";
import type { TrackedEvent } from "./types";
import { headAt } from "./uuid";
import { findId } from "./visitor";

const KEY = "session";
/** How exact the stored activity is; scrolling would read and write the storage far too often. */
export const GRAIN_MS = 1000;
/** Where in an id the milliseconds end. */
const MS_LENGTH = 14;
const HEAD_LENGTH = 18;

type Stored = [session_id: string, active_ms: number, ...campaigns: string[]];

const read = (): Stored => loadList(KEY) as Stored;

const readTimeout = (): number => (+options.sessionMinutes! || 30) * 60000;

/** Notes an activity, which keeps a living session alive; returns whether it lives. */
export const renewSession = ([session_id, active_ms, ...campaigns] = read()): unknown => {
  const now_ms = Date.now();
  const idle_ms = Math.abs(now_ms - active_ms);
  // anyone may write there: an id that is none would travel with every event
  const isAlive = findId(session_id) && idle_ms <= readTimeout();
  if (isAlive) save(KEY, [session_id, now_ms, ...campaigns]);
  return isAlive;
};

/** Puts an event into its session; returns whether that starts with it. */
export const enterSession = (event: TrackedEvent, visitor_id: string): boolean => {
  const stored = read();
  const [before_id, active_ms] = stored;
  // an event's id has an a in place of the 8
  const tail = `-8${visitor_id.slice(HEAD_LENGTH + 2)}`;
  const isNew =
    !renewSession(stored) ||
    // ids of one millisecond in two tabs are in no order
    event.id < before_id.slice(0, MS_LENGTH) ||
    // another visitor's: somebody logged out on another subdomain, whose storage is its own
    !before_id.endsWith(tail);
  event.session_id = before_id;
  if (isNew) {
    const end = findId(before_id) ? headAt(active_ms + readTimeout()) : event.id;
    event.session_id = (end < event.id ? end : event.id.slice(0, HEAD_LENGTH)) + tail;
    save(KEY, [event.session_id, Date.now()]);
  }
  return isNew;
};

/** Returns true the first time that the current session sees this campaign. */
export const isFirstSeen = (campaign: string): unknown => {
  const stored = read();
  return !stored.includes(campaign) && save(KEY, [...stored, campaign]);
};

export const endSession = (): void => erase(KEY);
