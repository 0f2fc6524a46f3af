import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** The same tests for the files as they are served; in one of these is a library that its test replaces. */
const isShipped = !!process.env.SHIPPED;
const plugins = new URL("../server/web/static/plugins/", import.meta.url).pathname;

export default defineConfig({
  define: { __VERSION__: JSON.stringify(version), __PLUGINS__: '"0"' },
  test: {
    environment: "happy-dom",
    // nothing here is timed; a busy machine must not fail it
    testTimeout: 120_000,
    include: ["test/**/*.test.ts"],
    // the scripts have no entry of the package
    exclude: isShipped ? ["test/module.test.ts"] : [],
    alias: isShipped
      ? [{ find: /^.*\/src\/optional\/(?!product_data|vitals)(.*)$/, replacement: `${plugins}$1.js` }]
      : [],
    coverage: {
      include: ["src/**"],
      // a table of all files would hide what is said about these
      reporter: [["text", { skipFull: true, file: "coverage.txt" }]],
      thresholds: { "src/{queue,sender,session,transport}.ts": { 100: true } },
    },
  },
});
