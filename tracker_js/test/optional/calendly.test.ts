import { expect, test } from "vitest";
import calendly from "../../src/optional/calendly";
import "../browser";
import { run } from "./plugins";

const BOOKED = {
  event: "calendly.event_scheduled",
  payload: {
    event: { uri: "https://api.calendly.com/e/1" },
    invitee: { uri: "https://api.calendly.com/i/2" },
  },
};

const receive = (origin: string, data: unknown) => {
  const { tracked, faults } = run(calendly);
  window.dispatchEvent(new MessageEvent("message", { origin, data }));
  expect(faults).toEqual([]);
  return tracked;
};

test("a booking is recorded with its two addresses", () => {
  expect(receive("https://calendly.com", BOOKED)).toEqual([
    [
      "$calendly_invitee_created",
      { event_uri: "https://api.calendly.com/e/1", invitee_uri: "https://api.calendly.com/i/2" },
    ],
  ]);
});

test.each([
  ["another origin", "https://calendly.com.evil.example", BOOKED],
  ["plain http", "http://calendly.com", BOOKED],
  ["a subdomain", "https://evil.calendly.com", BOOKED],
  ["another message", "https://calendly.com", { event: "calendly.date_and_time_selected" }],
  ["a text", "https://calendly.com", "calendly.event_scheduled"],
  ["nothing", "https://calendly.com", null],
])("nothing is recorded for %s", (_, origin, data) => {
  expect(receive(origin, data)).toEqual([]);
});

test("a booking without its payload is still one", () => {
  expect(receive("https://calendly.com", { event: BOOKED.event }).length).toBe(1);
});
