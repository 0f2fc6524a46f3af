/**
 * Rearranges a minified script so that gzip packs it better: the order of its declarations and the names of its variables.
 *
 * A minifier counts characters; what gzip pays for is text that it has not seen before. So search.py tries
 * many small changes that keep the meaning, and what made the shortest packed script is kept in
 * packed.json beside this file, for the script it was found for. Searching takes a few minutes and is done by
 * `make build` when the script has changed, beginning with what was found for the script before; applying what is kept
 * gives the same bytes everywhere.
 *
 * Errors: throws when a name would mean something else afterwards, and when a search is needed but not allowed.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "acorn";
import { analyze } from "eslint-scope";

const KEPT = new URL("packed.json", import.meta.url);
const SYNTAX = { ecmaVersion: 2022, sourceType: "module", ranges: true };

/** Returns the variables of a script, but for globals: name, positions in the text, the scopes in which it is seen. */
const readVariables = (tree) => {
  const variables = [];
  const manager = analyze(tree, SYNTAX);
  const visit = (scope) => {
    for (const { name, identifiers, references } of scope.type === "global" ? [] : scope.variables) {
      const scopes = new Set([scope]);
      for (let { from } of references) for (; from !== scope; from = from.upper) scopes.add(from);
      const uses = [...identifiers, ...references.map(({ identifier }) => identifier)];
      variables.push({ name, scopes, positions: [...new Set(uses.map(({ start }) => start))] });
    }
    scope.childScopes.forEach(visit);
  };
  visit(manager.globalScope);
  return variables.filter(({ positions }) => positions[0] != null);
};

/** Returns where `{name}` stands for `{name: name}`. */
const findShorthands = (node, found = new Set()) => {
  if (node?.type === "Property" && node.shorthand) found.add(node.key.start);
  for (const child of node && typeof node === "object" ? Object.values(node) : [])
    findShorthands(child, found);
  return found;
};

/**
 * Returns the script's longest list of declarations: those whose order is free, functions and constants, whose making
 * does nothing and needs nothing; then the others, in their order.
 */
const readDeclarations = (tree) => {
  const body = tree.body[0].expression?.callee.body.body ?? tree.body;
  const lists = body
    .filter(({ type }) => type === "VariableDeclaration")
    .map(({ declarations }) => declarations);
  const longest = lists.reduce((one, other) => (other.length > one.length ? other : one));
  const isFree = ({ init }) => !init || init.type === "ArrowFunctionExpression" || init.type === "Literal";
  return [
    longest.filter(isFree),
    longest.filter((declaration) => !isFree(declaration)),
    longest[0],
    longest.at(-1),
  ];
};

/**
 * Returns a script taken apart: `names` of its variables, `free` parts in the order in which they stand, which is free,
 * and what is fixed. Shape: a part is a list of texts, and of numbers that stand for variables.
 */
const takeApart = (text) => {
  const tree = parse(text, SYNTAX);
  const variables = readVariables(tree);
  const shorthands = findShorthands(tree);
  const uses = variables
    .flatMap(({ name, positions }, index) => positions.map((start) => ({ name, start, index })))
    .sort((one, other) => one.start - other.start);
  const cut = (from, to) => {
    const part = [];
    let end = from;
    for (const { name, start, index } of uses.filter(({ start }) => start >= from && start < to)) {
      part.push(text.slice(end, start) + (shorthands.has(start) ? `${name}:` : ""), index);
      end = start + name.length;
    }
    return [...part, text.slice(end, to)];
  };
  const [free, fixed, first, last] = readDeclarations(tree);
  return {
    variables,
    names: variables.map(({ name }) => name),
    head: cut(0, first.start),
    free: free.map(({ start, end }) => cut(start, end)),
    fixed: fixed.map(({ start, end }) => cut(start, end)),
    tail: cut(last.end, text.length),
  };
};

/** Returns the script that has its free parts in an order and its variables under some names. */
const putTogether = ({ head, free, fixed, tail }, { order, names }) => {
  const write = (part) => part.map((piece) => (typeof piece === "number" ? names[piece] : piece)).join("");
  const declarations = [...order.map((place) => free[place]), ...fixed].map(write).join();
  return write(head) + declarations + write(tail);
};

/** Returns for each name in the text which variable it means. */
const resolve = (text) => {
  const uses = readVariables(parse(text, SYNTAX)).flatMap(({ positions }) =>
    positions.map((start) => [start, Math.min(...positions)]),
  );
  const starts = uses.map(([start]) => start).sort((one, other) => one - other);
  const places = new Map(starts.map((start, place) => [start, place]));
  return uses
    .map(([start, first]) => `${places.get(start)} ${places.get(first)}`)
    .sort()
    .join();
};

/** Returns whether an order and names, found for another script, mean something in this one. */
const fits = ({ order, names }, parts) => {
  if (order?.length !== parts.free.length || names.length !== parts.names.length) return false;
  const text = putTogether(parts, { order, names });
  return resolve(text) === resolve(putTogether(parts, { order, names: parts.names }));
};

/** Returns the order and the names that pack best, found by search.py, beginning with those of the script before. */
const search = ({ variables, names, ...parts }, before) => {
  const start = fits(before, { variables, names, ...parts })
    ? before
    : { order: parts.free.map((_, place) => place), names };
  const rivals = variables.map(({ scopes }, index) =>
    variables.flatMap((other, place) =>
      place !== index && [...scopes].some((scope) => other.scopes.has(scope)) ? place : [],
    ),
  );
  const input = JSON.stringify({ ...parts, ...start, rivals });
  const output = execFileSync("python3", [fileURLToPath(new URL("search.py", import.meta.url))], { input });
  return JSON.parse(output);
};

/** Shape: the script is one immediate function, all of its variables inside. */
export const pack = (text, maySearch) => {
  const hash = createHash("sha256").update(text).digest("hex");
  const parts = takeApart(text);
  let kept = JSON.parse(readFileSync(KEPT, "utf8"));
  if (kept.hash !== hash) {
    if (!maySearch) throw new Error("pack: the script has changed since it was packed; run make build");
    const { order, names } = search(parts, kept);
    kept = { hash, order, names };
    writeFileSync(KEPT, `${JSON.stringify(kept)}\n`);
  }
  const packed = putTogether(parts, kept);
  const ordered = putTogether(parts, { ...kept, names: parts.names });
  if (resolve(packed) !== resolve(ordered)) throw new Error("pack: a name would mean something else");
  return packed;
};
