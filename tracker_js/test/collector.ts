/** A server in the test's memory, behind `fetch` and `sendBeacon`. It stores like the real one: an id once. */
import { vi } from "vitest";
import type { Answer, TrackedEvent } from "../src/types";

export interface Beacon {
  site: string;
  visitor_id: string;
  user_id: string | null;
  sent_at: string;
  tracker: string;
  context: Record<string, unknown>;
  events: TrackedEvent[];
}

export interface Request {
  url: string;
  isBeacon: boolean;
  keepalive: boolean;
  body: string;
  beacon: Beacon;
}

/** What to do with a request: a status, a whole answer, "lost" before or "cut" after it was stored, "hang" for ever. */
export type Behaviour =
  number | { status: number; body?: string; retryAfter?: string } | "lost" | "cut" | "hang";

export interface Collector {
  requests: Request[];
  stored: TrackedEvent[];
  /** Decides on each request to come; the default accepts. */
  behave: (request: Request) => Behaviour;
  /** What the browser still takes for beacons; 64 KiB are a page's. */
  beaconRoom_bytes: number;
  /** Names to refuse, with their code. */
  refuse: Map<string, string>;
  names: () => string[];
}

export const createCollector = (): Collector => {
  const collector: Collector = {
    requests: [],
    stored: [],
    beaconRoom_bytes: 65_536,
    behave: () => 200,
    refuse: new Map(),
    names: () => collector.stored.map((event) => event.name),
  };

  const accept = ({ beacon }: Request): Answer => {
    const answer: Answer = { accepted: 0, duplicate: 0, rejected: [], warnings: [] };
    beacon.events.forEach((event, index) => {
      const code = collector.refuse.get(event.name);
      if (code) answer.rejected.push({ index, id: event.id, code, message: code });
      else if (collector.stored.some((stored) => stored.id === event.id)) answer.duplicate++;
      else answer.accepted = collector.stored.push(event) && answer.accepted + 1;
    });
    return answer;
  };
  const receive = (url: unknown, body: unknown, rest: Pick<Request, "isBeacon" | "keepalive">) => {
    const text = `${body}`;
    const request = { url: `${url}`, body: text, beacon: JSON.parse(text) as Beacon, ...rest };
    collector.requests.push(request);
    return request;
  };

  vi.stubGlobal("fetch", async (url: unknown, { body, keepalive }: RequestInit) => {
    const text = await (body as Blob).text();
    const request = receive(url, text, { isBeacon: false, keepalive: !!keepalive });
    const behaviour = collector.behave(request);
    if (behaviour === "hang") return new Promise(() => {});
    if (behaviour === "lost") throw new TypeError("Failed to fetch");
    const given =
      typeof behaviour === "object" ? behaviour : { status: behaviour === "cut" ? 200 : behaviour };
    const answer = given.status === 200 && !("body" in given && given.body) ? accept(request) : undefined;
    if (behaviour === "cut") throw new TypeError("Failed to fetch");
    const headers = new Headers(
      "retryAfter" in given && given.retryAfter ? { "Retry-After": given.retryAfter } : {},
    );
    const answered = ("body" in given && given.body) || (answer ? JSON.stringify(answer) : "");
    return { status: given.status, headers, text: async () => answered };
  });
  Object.defineProperty(navigator, "sendBeacon", {
    configurable: true,
    value: (url: unknown, body: unknown) => {
      if (`${body}`.length > collector.beaconRoom_bytes) return false;
      collector.beaconRoom_bytes -= `${body}`.length;
      const request = receive(url, body, { isBeacon: true, keepalive: true });
      const behaviour = collector.behave(request);
      if (behaviour === "hang") return false;
      if (behaviour === 200) accept(request);
      return true;
    },
  });
  return collector;
};
