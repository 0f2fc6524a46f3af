/** What must not compile; checked by `npm run check`, which fails when an expected error is missing. */
import { expectTypeOf, test } from "vitest";
import type { AuthResult, Tracker } from "../src/types";

const check = (tracker: Tracker): void => {
  tracker.track("Bell rung");
  tracker.track("Bell rung", { loud: true });
  tracker.track("$order_completed", { $order_id: "1", $order_amount: 990, own: "kept" });
  // @ts-expect-error -- $order_id is required
  tracker.track("$order_completed", { $order_amount: 990 });
  // @ts-expect-error -- a misspelt system event
  tracker.track("$order_complete", { $order_id: "1" });
  // @ts-expect-error -- a misspelt attribute
  tracker.track("$order_completed", { $order_id: "1", $order_amout: 990 });
  tracker.track("$order_started");
  // @ts-expect-error -- a misspelt attribute of an event that needs none
  tracker.track("$cart_added", { $nmae: "Lamp" });
  tracker.track("Own", { $anything: 1 });
  // @ts-expect-error -- a wrong type
  tracker.track("$order_completed", { $order_id: "1", $order_amount: "much" });
  // @ts-expect-error -- only a server may say so
  tracker.track("$order_paid", { $order_id: "1" });
  // @ts-expect-error -- no such topic
  tracker.on("send", () => {});
};

test("a sign-in resolves to its result", () => {
  expectTypeOf(check).toBeFunction();
  expectTypeOf<Awaited<ReturnType<Tracker["auth"]>>>().toEqualTypeOf<AuthResult>();
});
