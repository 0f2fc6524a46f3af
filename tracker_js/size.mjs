/** Prints the size of what pages load, and fails over budget. Units: bytes, gzip -9. */
import { readFileSync, readdirSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";

const CORE = "tracker.js";
const BUDGETS = { [CORE]: 5120, "stub.js": 350 };
const PLUGIN_BUDGET = 1536;
/** The core with all plugins of our own; web vitals are a library's. */
const ALL_BUDGET = 8192;
const VITALS = "plugins/vitals.js";
const VITALS_BUDGET = 4096;

const static_ = new URL("../server/web/static/", import.meta.url);
const plugins = readdirSync(new URL("plugins", static_)).map((file) => `plugins/${file}`);

const check = (name, gzip, budget, more = "") => {
  console.log(`${name}: ${gzip} gzip -9 (budget ${budget})${more}`);
  if (gzip <= budget) return;
  console.error(`${name} is ${gzip - budget} bytes over its budget`);
  process.exitCode = 1;
};

const measure = (file, budget) => {
  const bytes = readFileSync(new URL(file, static_));
  const gzip = gzipSync(bytes, { level: 9 }).length;
  check(file, gzip, budget, `, ${bytes.length} raw, ${brotliCompressSync(bytes).length} brotli`);
  return gzip;
};

let all = 0;
for (const [file, budget] of Object.entries(BUDGETS)) {
  const gzip = measure(file, budget);
  if (file === CORE) all += gzip;
}
for (const file of plugins) {
  const isVitals = file === VITALS;
  const gzip = measure(file, isVitals ? VITALS_BUDGET : PLUGIN_BUDGET);
  if (!isVitals) all += gzip;
}
check("core and all plugins but web vitals", all, ALL_BUDGET);
