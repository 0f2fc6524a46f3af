import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")) as {
  version: string;
};

export default defineConfig({
  define: { __VERSION__: JSON.stringify(version), __PLUGINS__: '"0"' },
  test: {
    environment: "happy-dom",
    // nothing here is timed; a busy machine must not fail it
    testTimeout: 120_000,
    include: ["test/**/*.test.ts"],
    coverage: {
      include: ["src/**"],
      // a table of all files would hide what is said about these
      reporter: [["text", { skipFull: true, file: "coverage.txt" }]],
      thresholds: { "src/{queue,sender,session,transport}.ts": { 100: true } },
    },
  },
});
