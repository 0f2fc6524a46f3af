import { gunzipSync } from "node:zlib";
import { CompressionStream } from "node:stream/web";
import { expect, test, vi } from "vitest";
import "./browser";

const TEXT = JSON.stringify({ text: "Grüße, 東京 ".repeat(200) });

const read = async (body: Blob): Promise<Buffer> => Buffer.from(await body.arrayBuffer());

test("packs a body as gzip where the browser can", async () => {
  vi.useRealTimers();
  vi.stubGlobal("CompressionStream", CompressionStream);
  const { pack } = await import("../src/transport");
  const packed = await pack(TEXT);
  expect(packed.size).toBeLessThan(TEXT.length / 10);
  expect(gunzipSync(await read(packed)).toString()).toBe(TEXT);
  expect(packed.type).toBe(""); // a type of its own would need a preflight
});

test.each([
  ["has none", undefined],
  [
    "knows no gzip",
    class {
      constructor() {
        throw new TypeError("unsupported");
      }
    },
  ],
])("leaves a body as it is where the browser %s", async (_, stream) => {
  vi.stubGlobal("CompressionStream", stream);
  const { pack } = await import("../src/transport");
  const body = await pack(TEXT);
  expect((await read(body)).toString()).toBe(TEXT);
  expect(body.type).toBe("");
});
