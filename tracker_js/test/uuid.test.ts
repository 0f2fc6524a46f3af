import { expect, test, vi } from "vitest";
import { START_MS } from "./browser";
import { loadModules } from "./browser";

const V7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
const load = () => loadModules(() => import("../src/uuid"));

test("an id is a UUID of version 7 that begins with its time", async () => {
  const { uuid } = await load();
  const id = uuid();
  expect(id).toMatch(V7);
  expect(Number.parseInt(id.replace("-", "").slice(0, 12), 16)).toBe(START_MS);
});

test.each([
  ["all bits are 0", 0],
  ["all bits are 1", 0xffffffff],
])("an id is well-formed when %s", async (_, bits) => {
  vi.spyOn(crypto, "getRandomValues").mockImplementation(
    (array) => (array as Uint32Array).fill(bits) as never,
  );
  const { uuid } = await load();
  expect(uuid()).toMatch(V7);
});

test("ids of one page ascend, whatever the clock does", async () => {
  const { uuid } = await load();
  const ids = [uuid()];
  for (const jump_ms of [0, 1, -864e5, 3600e3, 0, -1]) {
    vi.setSystemTime(Date.now() + jump_ms);
    for (let count = 0; count < 5000; count++) ids.push(uuid());
  }
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
});
