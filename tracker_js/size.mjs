/** Prints the size of what pages load, and fails over budget. Units: bytes, gzip -9. */
import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";

const BUDGETS = { "tracker.js": 5120, "stub.js": 350 };

for (const [file, budget] of Object.entries(BUDGETS)) {
  const bytes = readFileSync(new URL(`../server/web/static/${file}`, import.meta.url));
  const gzip = gzipSync(bytes, { level: 9 }).length;
  const brotli = brotliCompressSync(bytes).length;
  console.log(`${file}: ${bytes.length} raw, ${gzip} gzip -9 (budget ${budget}), ${brotli} brotli`);
  if (gzip > budget) {
    console.error(`${file} is ${gzip - budget} bytes over its budget`);
    process.exitCode = 1;
  }
}
