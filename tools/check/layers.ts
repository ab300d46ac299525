/**
 * The arrows of the house: which layer may import which, what the pure layers may not touch, and that no import cycle
 * exists, imports of types included. Pure; `main.ts` reads the files.
 */
import { dirname, join } from "node:path";
import type { ImportEdge } from "./imports.ts";

/** A source file: its path from the root of the checkout, its imports, and its text without comments and literals. */
export interface SourceFile {
	readonly path: string;
	readonly imports: readonly ImportEdge[];
	readonly code: string;
}

const LAYERS = [
	"base",
	"api",
	"core",
	"drivers",
	"engine",
	"server",
	"registry",
	"client",
	"cli",
	"console",
	"daemon",
] as const;
type Layer = (typeof LAYERS)[number];

/** May import, besides itself. */
const MAY_IMPORT: Readonly<Record<Layer, readonly Layer[]>> = {
	base: [],
	api: ["base"],
	core: ["base", "api"],
	drivers: ["base", "api", "core"],
	engine: ["base", "api", "core"],
	server: ["base", "api", "core", "engine"],
	registry: ["base", "api", "core"],
	client: ["base", "api"],
	cli: ["base", "api", "core", "client"],
	console: ["api"],
	daemon: ["base", "api", "core", "drivers", "engine", "server", "registry"],
};

/** Unit tests of these layers run the real thing on real or in-memory drivers, as the daemon does. */
const TESTED_WITH_DRIVERS: readonly Layer[] = ["engine", "server", "registry"];

const PURE_LAYERS: readonly Layer[] = ["base", "api", "core"];
/** Modules that compute and do nothing else. */
const PURE_MODULES = new Set(
	["assert", "buffer", "crypto", "events", "path", "path/posix", "string_decoder", "url", "util", "zlib"].map(
		(n) => `node:${n}`,
	),
);
const PURE_MODULE_TYPES = new Set(["node:stream"]);
const PURE_PACKAGES = new Set(["@bufbuild/protobuf/wire", "ipaddr.js", "yaml"]);
/** A file with a variable of that name, as OCI's `process` object, does not mean the global. */
const OWN_PROCESS = /\b(?:const|let)\s+(?:\{[^}]*\b)?process\b|[(,{]\s*process\??\s*[:,)}]/;
const IMPURE_GLOBAL = /(?<![\w$.])(Bun\.|process\.|fetch\(|console\.|require\()/;

/** One broken rule, as `path:line: message`. */
export function checkLayers(files: readonly SourceFile[]): string[] {
	const known = new Set(files.map((file) => file.path));
	const problems: string[] = [];
	for (const file of files) {
		for (const edge of file.imports) {
			const problem = checkEdge(file.path, edge, known);
			if (problem !== undefined) problems.push(`${file.path}:${edge.line}: ${problem}`);
		}
		problems.push(...checkGlobals(file));
	}
	return [...problems, ...findCycles(files).map((cycle) => `import cycle: ${cycle.join(" -> ")}`)];
}

function checkEdge(path: string, edge: ImportEdge, known: ReadonlySet<string>): string | undefined {
	if (!edge.specifier.startsWith(".")) return checkModule(path, edge);
	const target = join(dirname(path), edge.specifier);
	if (!known.has(target) && /\.tsx?$|\/[^./]*$/.test(target)) return `imports ${edge.specifier}, which does not exist`;
	const from = layerOf(path);
	const to = layerOf(target);
	if (from === undefined) return undefined;
	if (to === undefined) {
		// The version is written down once.
		if (target === "package.json" && !PURE_LAYERS.includes(from)) return undefined;
		if (isTest(path) && target.startsWith("test/support/")) return undefined;
		return `${from} may not import ${target}`;
	}
	if (from === to) return checkWithinLayer(path, target);
	if (MAY_IMPORT[from].includes(to)) return undefined;
	if (isTest(path) && TESTED_WITH_DRIVERS.includes(from) && to === "drivers") return undefined;
	return `${from} may not import ${to} (${target})`;
}

function checkModule(path: string, edge: ImportEdge): string | undefined {
	const layer = layerOf(path);
	const { specifier } = edge;
	if (NODE_MODULES_WITHOUT_PREFIX.has(specifier)) return `imports ${specifier}: write node:${specifier}`;
	if (layer === undefined || !PURE_LAYERS.includes(layer) || isTest(path)) return undefined;
	if (PURE_MODULES.has(specifier) || PURE_PACKAGES.has(specifier)) return undefined;
	if (edge.typeOnly && PURE_MODULE_TYPES.has(specifier)) return undefined;
	return `${layer} is pure and may not import ${specifier}`;
}

const NODE_MODULES_WITHOUT_PREFIX = new Set(
	"assert buffer crypto dgram dns events fs http https net os path stream tls url util zlib".split(" "),
);

/** A driver stands alone, but for the kernel calls that all share. */
function checkWithinLayer(path: string, target: string): string | undefined {
	if (layerOf(path) !== "drivers" || isTest(path)) return undefined;
	const [from, to] = [path, target].map((each) => each.split("/")[2]);
	if (from === to || to === "linux") return undefined;
	return `driver ${from} may not import driver ${to}`;
}

function checkGlobals(file: SourceFile): string[] {
	const layer = layerOf(file.path);
	if (layer === undefined || !PURE_LAYERS.includes(layer) || isTest(file.path)) return [];
	const hasOwnProcess = OWN_PROCESS.test(file.code);
	return file.code.split("\n").flatMap((line, index) => {
		const match = IMPURE_GLOBAL.exec(line);
		return match === null || (hasOwnProcess && match[1] === "process.")
			? []
			: [`${file.path}:${index + 1}: ${layer} is pure and may not use ${match[1]}…`];
	});
}

function layerOf(path: string): Layer | undefined {
	const [top, name, ...rest] = path.split("/");
	if (top !== "src" || rest.length === 0) return undefined;
	return LAYERS.find((layer) => layer === name);
}

function isTest(path: string): boolean {
	return /\.test\.tsx?$/.test(path) || /\/contract\.ts$|-contract\.ts$/.test(path);
}

/** Strongly connected groups of more than one file (Tarjan), each as one closed walk through its members. */
export function findCycles(files: readonly SourceFile[]): string[][] {
	const graph = new Map(files.map((file) => [file.path, targetsOf(file)]));
	return strongComponents(graph)
		.filter((group) => group.length > 1 || graph.get(group[0] ?? "")?.includes(group[0] ?? ""))
		.map((group) => shortestCycle(graph, group));
}

function targetsOf(file: SourceFile): string[] {
	return file.imports
		.filter((edge) => edge.specifier.startsWith("."))
		.map((edge) => join(dirname(file.path), edge.specifier));
}

function strongComponents(graph: ReadonlyMap<string, readonly string[]>): string[][] {
	const indexes = new Map<string, number>();
	const lowest = new Map<string, number>();
	const stack: string[] = [];
	const onStack = new Set<string>();
	const groups: string[][] = [];
	const visit = (node: string) => {
		const index = indexes.size;
		indexes.set(node, index);
		lowest.set(node, index);
		stack.push(node);
		onStack.add(node);
		const lower = (value: number) => lowest.set(node, Math.min(lowest.get(node) ?? index, value));
		for (const target of graph.get(node) ?? []) {
			if (!graph.has(target)) continue;
			if (!indexes.has(target)) {
				visit(target);
				lower(lowest.get(target) ?? index);
			} else if (onStack.has(target)) lower(indexes.get(target) ?? index);
		}
		if (lowest.get(node) !== index) return;
		const group = stack.splice(stack.indexOf(node));
		for (const member of group) onStack.delete(member);
		groups.push(group);
	};
	for (const node of graph.keys()) if (!indexes.has(node)) visit(node);
	return groups;
}

/** Breadth-first from the group's first file (by name) back to itself. */
function shortestCycle(graph: ReadonlyMap<string, readonly string[]>, group: readonly string[]): string[] {
	const members = new Set(group);
	const start = [...group].sort()[0] ?? "";
	const queue: string[][] = [[start]];
	const seen = new Set<string>();
	for (let walk = queue.shift(); walk !== undefined; walk = queue.shift()) {
		for (const target of graph.get(walk.at(-1) ?? "") ?? []) {
			if (target === start) return [...walk, start];
			if (!members.has(target) || seen.has(target)) continue;
			seen.add(target);
			queue.push([...walk, target]);
		}
	}
	return [...group];
}
