/**
 * Rearranges a minified script so that gzip packs it better: the order of its declarations and the names of its variables.
 *
 * A minifier counts characters; what gzip pays for is text that it has not seen before. So many small changes that
 * keep the meaning are tried one after the other, and those stay that make the packed script no longer.
 * Deterministic everywhere: the tries are pseudo-random from a constant, and sizes are pako's, which is zlib
 * in JavaScript, because each build of Node has its own zlib.
 * Errors: throws when a name would mean something else afterwards.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "acorn";
import { analyze } from "eslint-scope";
import { deflateRaw } from "pako";

const SYNTAX = { ecmaVersion: 2022, sourceType: "module", ranges: true };
/** Tries: more of them find little more, and take longer than a build may. */
const REORDERINGS = 4000;
const RENAMINGS = 9000;

const packedLength = (text) => deflateRaw(Buffer.from(text, "latin1"), { level: 9, chunkSize: 8192 }).length;

/** Returns pseudo-random whole numbers below a limit, always the same ones. */
const createDice = () => {
  let state = 1;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
};

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

/** Returns the text as pieces: strings, and numbers that stand for variables. */
const takeApart = (text, tree, variables) => {
  const shorthands = findShorthands(tree);
  const uses = variables.flatMap(({ name, positions }, index) =>
    positions.map((start) => ({ name, start, index })),
  );
  const pieces = [];
  let end = 0;
  for (const { name, start, index } of uses.sort((one, other) => one.start - other.start)) {
    pieces.push(text.slice(end, start) + (shorthands.has(start) ? `${name}:` : ""), index);
    end = start + name.length;
  }
  return [...pieces, text.slice(end)];
};

/**
 * Returns the ranges of the script's longest list of declarations: those whose order is free, functions and
 * constants, whose making does nothing and needs nothing; then the others, in their order.
 */
const readDeclarations = (tree) => {
  const body = tree.body[0].expression?.callee.body.body ?? tree.body;
  const lists = body
    .filter(({ type }) => type === "VariableDeclaration")
    .map(({ declarations }) => declarations);
  const [longest = []] = lists.sort((one, other) => other.length - one.length);
  const isFree = ({ init }) => !init || init.type === "ArrowFunctionExpression" || init.type === "Literal";
  return [longest.filter(isFree), longest.filter((declaration) => !isFree(declaration)), longest];
};

/** Returns for each name in the text which variable it means. */
const resolve = (text) => {
  const variables = readVariables(parse(text, SYNTAX));
  const uses = variables.flatMap(({ positions }) =>
    positions.map((start) => [start, Math.min(...positions)]),
  );
  const starts = uses.map(([start]) => start).sort((one, other) => one - other);
  const places = new Map(starts.map((start, place) => [start, place]));
  return uses
    .map(([start, first]) => `${places.get(start)} ${places.get(first)}`)
    .sort()
    .join();
};

/** Reorders the declarations by trial. */
const reorder = (text, tries, dice) => {
  const [free, fixed, all] = readDeclarations(parse(text, SYNTAX));
  if (!all[1]) return text;
  const cut = ({ start, end }) => text.slice(start, end);
  const order = free.map(cut);
  const rest = fixed.map(cut);
  const join = () => text.slice(0, all[0].start) + [...order, ...rest].join() + text.slice(all.at(-1).end);
  const move = (from, to) => order.splice(to, 0, ...order.splice(from, 1));
  let best = packedLength(join());
  for (let count = 0; count < tries; count++) {
    const from = dice(order.length);
    const to = dice(order.length);
    move(from, to);
    const length = packedLength(join());
    if (length <= best) best = length;
    else move(to, from);
  }
  return join();
};

/** Renames the variables by trial. */
const rename = (text, tries, dice) => {
  const tree = parse(text, SYNTAX);
  const variables = readVariables(tree);
  const pieces = takeApart(text, tree, variables);
  const names = variables.map(({ name }) => name);
  const join = () => pieces.map((piece) => (typeof piece === "number" ? names[piece] : piece)).join("");
  const rivals = variables.map(({ scopes }, index) =>
    variables.flatMap((other, place) =>
      place !== index && [...scopes].some((scope) => other.scopes.has(scope)) ? place : [],
    ),
  );
  /** Gives a name, in exchange where rivals have it; returns the places changed, nothing if the exchange fails. */
  const give = (place, name) => {
    const old = names[place];
    const holders = rivals[place].filter((rival) => names[rival] === name);
    const isFree = holders.every((holder) =>
      rivals[holder].every((rival) => rival === place || names[rival] !== old),
    );
    if (name === old || !isFree) return;
    names[place] = name;
    for (const holder of holders) names[holder] = old;
    return () => {
      names[place] = old;
      for (const holder of holders) names[holder] = name;
    };
  };
  let best = packedLength(join());
  for (let count = 0; count < tries; count++) {
    // what is used often is likely to be right elsewhere too
    const undo = give(dice(names.length), names[dice(names.length)]);
    if (!undo) continue;
    const length = packedLength(join());
    if (length <= best) best = length;
    else undo();
  }
  return join();
};

const search = (text) => {
  const dice = createDice();
  const ordered = reorder(text, REORDERINGS, dice);
  const renamed = rename(ordered, RENAMINGS, dice);
  if (resolve(renamed) !== resolve(ordered)) throw new Error("pack: a name would mean something else");
  return renamed;
};

/** Shape: the script is a module, or one immediate function, all of its variables inside. What was found is kept. */
export const pack = (text) => {
  const cache = fileURLToPath(new URL("node_modules/.cache/pack", import.meta.url));
  const own = readFileSync(fileURLToPath(import.meta.url));
  const file = `${cache}/${createHash("sha256").update(own).update(text).digest("hex")}.js`;
  if (!existsSync(file)) {
    mkdirSync(cache, { recursive: true });
    writeFileSync(file, search(text));
  }
  return readFileSync(file, "utf8");
};
