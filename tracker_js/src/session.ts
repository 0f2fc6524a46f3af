/**
 * One stretch of activity, shared by all tabs of the site through storage and decided anew at every event.
 *
 * Shape:  stored as [session_id, last activity, campaigns already seen].
 *         A session ends after 30 minutes without activity: an event, a pointer, a key, a scroll, the tab shown.
 *         Activity after the end extends nothing: the next event starts the next session.
 *         The id of a session, which is also the id of its `$session_start`, is derived from the visitor and from
 *         the moment at which the session before ended: tabs that wake up together derive the same one, so the
 *         server stores one start although each of them reports it. As its time part precedes the first event's,
 *         the start sorts before everything else of the session.
 * Units:  times are milliseconds since the epoch by the visitor's clock, which may jump: a jump further than the
 *         timeout, in either direction, starts a session.
 */
import { options } from "./options";
import { erase, loadList, save } from "./storage";
import { TICKS_PER_MS, uuidHead } from "./uuid";

const KEY = "session";
/** How exact the stored activity is; scrolling would write to the storage far too often. */
export const GRAIN_MS = 1000;
const MAX_CAMPAIGNS = 20;
const HEAD_LENGTH = 18;

type Stored = [session_id: string, active_ms: number, campaigns: string[]];

const read = (): Stored => loadList(KEY) as Stored;

const readTimeout = (): number => (+options.sessionMinutes! || 30) * 60000;

/** Notes an activity, which keeps a living session alive; returns whether it lives. */
export const renewSession = ([session_id, active_ms, campaigns] = read()): boolean => {
  const now_ms = Date.now();
  const idle_ms = Math.abs(now_ms - active_ms);
  const isAlive = !!campaigns && idle_ms <= readTimeout();
  if (isAlive && idle_ms > GRAIN_MS) save(KEY, [session_id, now_ms, campaigns]);
  return isAlive;
};

/** Returns the session of an event of that time, and whether it starts with it. */
export const enterSession = (time_ms: number, visitor_id: string): [session_id: string, isNew: boolean] => {
  const stored = read();
  if (renewSession(stored)) return [stored[0], false];
  const end_ms = Math.min(stored[1] + readTimeout() || time_ms, time_ms) - 1;
  const session_id = uuidHead(end_ms * TICKS_PER_MS) + visitor_id.slice(HEAD_LENGTH);
  save(KEY, [session_id, Date.now(), []]);
  return [session_id, true];
};

/** Returns true the first time that the current session sees this campaign. */
export const isFirstSeen = (campaign: string): boolean => {
  const [session_id, active_ms, campaigns] = read();
  const isFirst = !campaigns.includes(campaign);
  if (isFirst) save(KEY, [session_id, active_ms, [campaign, ...campaigns].slice(0, MAX_CAMPAIGNS)]);
  return isFirst;
};

export const endSession = (): void => erase(KEY);
