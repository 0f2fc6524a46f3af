/**
 * Prints the size of what pages load, and fails over budget.
 *
 * Units: bytes of gzip -9, the program: Node's zlib is another one and may say one per cent less. Sums are of separate files, because separately is how they are loaded.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";

const CORE = "tracker.js";
const BUDGETS = { [CORE]: 5120, "stub.js": 350, "carrotquest.js": 6144, "plugins/vitals.js": 4096 };
const PLUGIN_BUDGET = 1536;
/** The core with every plugin that `data-plugins` names, but for web vitals, which are a library's. */
const ALL_BUDGET = 8192;
const NOT_IN_ALL = ["stub.js", "carrotquest.js", "plugins/vitals.js", "plugins/touch.js"];

const static_ = new URL("../server/web/static/", import.meta.url);
const plugins = readdirSync(new URL("plugins", static_)).map((file) => `plugins/${file}`);

const check = (name, gzip, budget, more = "") => {
  console.log(`${name}: ${gzip} gzip -9 (budget ${budget})${more}`);
  if (gzip <= budget) return;
  console.error(`${name} is ${gzip - budget} bytes over its budget`);
  process.exitCode = 1;
};

let all = 0;
for (const file of new Set([...Object.keys(BUDGETS), ...plugins])) {
  const bytes = readFileSync(new URL(file, static_));
  const gzip = execFileSync("gzip", ["-9"], { input: bytes }).length;
  check(
    file,
    gzip,
    BUDGETS[file] || PLUGIN_BUDGET,
    `, ${bytes.length} raw, ${brotliCompressSync(bytes).length} brotli`,
  );
  if (!NOT_IN_ALL.includes(file)) all += gzip;
}
check("core and all named plugins but vitals", all, ALL_BUDGET);
