/**
 * Builds what pages load into the server (the script tag's bundle, the inline stub, the optional plugins), and the npm
 * package into dist.
 *
 * esbuild bundles; swc and uglify-js minify what pages load: eight per cent fewer bytes than esbuild's own minifier;
 * pack.mjs takes four per cent more from the tracker.
 * The same source gives the same bytes, so `make check` can compare: an argument names another folder than the server's.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { minify, transform } from "@swc/core";
import { build } from "esbuild";
import { minify as uglify } from "uglify-js";
import { pack } from "./pack.mjs";

const root = fileURLToPath(new URL(".", import.meta.url));
const static_ = process.argv[2] || `${root}../server/web/static`;
/** The others are too small to gain by it. */
const PACKED = "tracker.js";
const STUB = "stub.js";
/** What uglify-js does otherwise where the names and the order are searched for: measured, fewer bytes after the search. */
const FOR_PACKING = { hoist_vars: true, inline: false };
const HASH_LENGTH = 6;
const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
const SHARED = ["product_data.ts"];
const plugins = readdirSync(`${root}src/optional`)
  .filter((file) => !SHARED.includes(file))
  .map((file) => file.replace(/\.ts$/, ""))
  .sort();

const bundle = (entry, options) =>
  build({
    absWorkingDir: root,
    entryPoints: [`src/${entry}.ts`],
    bundle: true,
    target: "es2020",
    charset: "ascii",
    legalComments: "inline",
    logLevel: "warning",
    tsconfigRaw: {},
    ...options,
    define: { __VERSION__: JSON.stringify(version), ...options.define },
  });

/**
 * Returns a script with the same meaning and fewer characters.
 *
 * swc inlines across functions, uglify-js folds statements; then swc gives short names, alike in all functions.
 */
const shorten = async (text, module, more, isInline) => {
  const plain = { ecma: 2020, module, format: { ascii_only: true, comments: false } };
  // not in the stub, whose function would be taken away and its variables be the page's;
  // one word for all declarations, var, is shorter where there are gzip and minifiers that merge neighbours
  const { code: declared } = await transform(text, {
    isModule: module,
    swcrc: false,
    jsc: { parser: { syntax: "ecmascript" } },
    // a browser that needs nothing else changed
    env: { targets: { chrome: "120" }, include: ["transform-block-scoping"] },
  });
  const inlined = await minify(isInline ? text : declared, {
    ...plain,
    // unsafe: texts are joined with + instead of templates, the same but for objects that are two different texts;
    // regular expressions stand where they are used, the same for those without a state
    compress: {
      passes: 4,
      ecma: 2020,
      unsafe: true,
      unsafe_arrows: true,
      unsafe_regexp: true,
      toplevel: true,
    },
    mangle: false,
  });
  const folded = uglify(inlined.code, {
    module,
    compress: { passes: 4, unsafe: true, pure_getters: true, ...more },
    mangle: false,
  });
  if (folded.error) throw folded.error;
  return (await minify(folded.code, { ...plain, compress: false, mangle: { toplevel: true } })).code;
};

/** Writes one file into the server and returns its text. */
const buildForPages = async (entry, file, options = {}) => {
  const { outputFiles } = await bundle(entry, { format: "iife", write: false, ...options });
  const [{ text }] = outputFiles;
  const code = await shorten(
    text,
    options.format === "esm",
    file === PACKED ? FOR_PACKING : {},
    file === STUB,
  );
  const licences = text.match(/\/\*![^]*?\*\/\n/g) || [];
  const packed = file === PACKED ? pack(code, !process.argv[2]) : code;
  const written = `${licences.join("")}${packed}\n`;
  writeFileSync(`${static_}/${file}`, written);
  return written;
};

const hash = createHash("sha256");
rmSync(`${root}dist`, { recursive: true, force: true });
rmSync(`${static_}/plugins`, { recursive: true, force: true });
mkdirSync(`${static_}/plugins`, { recursive: true });
for (const name of plugins) {
  hash.update(await buildForPages(`optional/${name}`, `plugins/${name}.js`, { format: "esm" }));
  await bundle(`optional/${name}`, { format: "esm", outfile: `dist/plugins/${name}.js` });
}
const define = { __PLUGINS__: JSON.stringify(hash.digest("hex").slice(0, HASH_LENGTH)) };
await buildForPages("script", PACKED, { define });
await buildForPages("carrotquest", "carrotquest.js", { define });
await buildForPages("stub", STUB);
await bundle("module", { format: "esm", outfile: "dist/module.js" });
execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
/** With "moduleResolution": "nodenext" an import names its file whole. */
for (const file of readdirSync(`${root}dist/types`, { recursive: true })) {
  if (!file.endsWith(".d.ts")) continue;
  const text = readFileSync(`${root}dist/types/${file}`, "utf8");
  const whole = text.replace(/((?:from |import\()"\.[^"]+)"/g, '$1.js"');
  writeFileSync(`${root}dist/types/${file}`, whole);
}
copyFileSync(`${root}../LICENSE`, `${root}dist/LICENSE`);
