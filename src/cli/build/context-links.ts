import { readdirSync, readlinkSync } from "node:fs";
import { posix } from "node:path";
import { errnoCode } from "../../base/errors.ts";
import { PathGlob } from "../../core/dockerfile/path-glob.ts";

/** As many as the kernel follows. */
const MAX_LINKS = 40;

/**
 * The patterns, and for those that go through symlinks of the context, or match some, these and where they lead, so that what COPY follows
 * on the other side is there. The context's directory acts as `/`.
 */
export function followLinks(root: string, include: readonly string[]): string[] {
	const followed = new Set(include);
	const pending = include.map((pattern) => ({ pattern: posix.join("/", pattern), links: 0 })).reverse();
	const seen = new Set<string>();
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		if (seen.has(next.pattern)) continue;
		seen.add(next.pattern);
		const { links } = next;
		const step = firstStep(root, next.pattern);
		if (step.kind === "matches") pending.push(...step.patterns.map((pattern) => ({ pattern, links })).reverse());
		if (step.kind !== "link" || links >= MAX_LINKS) continue;
		followed.add(step.link);
		followed.add(step.target.slice(1) || ".");
		pending.push({ pattern: step.target, links: links + 1 });
	}
	return [...followed];
}

type Step =
	| { readonly kind: "end" }
	/** The first symlink of the pattern, and the pattern with that replaced. */
	| { readonly kind: "link"; readonly link: string; readonly target: string }
	/** What the first wildcard may stand for, as far as there may be symlinks in it. */
	| { readonly kind: "matches"; readonly patterns: readonly string[] };

function firstStep(root: string, pattern: string): Step {
	const parts = pattern.split("/").filter(Boolean);
	for (const [at, part] of parts.entries()) {
		const before = parts.slice(0, at);
		const rest = parts.slice(at + 1);
		const directory = [root, ...before.map(unescaped)].join("/");
		if (hasWildcard(part)) {
			const glob = new PathGlob(part, { doubleStar: false });
			const names = namesIn(directory).filter((name) => glob.matches(name));
			// At the end only symlinks matter; on the way they stand for nothing.
			const isLast = rest.length === 0;
			const wanted = names.filter((name) => (readLink(`${directory}/${name}`) !== undefined) === isLast);
			return { kind: "matches", patterns: wanted.map((name) => posix.join("/", ...before, escaped(name), ...rest)) };
		}
		const target = readLink(`${directory}/${unescaped(part)}`);
		if (target === undefined) continue;
		const from = target.startsWith("/") ? [] : before;
		// Names of the target are no patterns, and `..` stays inside.
		const names = target.split("/").map(escaped);
		return { kind: "link", link: [...before, part].join("/"), target: posix.join("/", ...from, ...names, ...rest) };
	}
	return { kind: "end" };
}

function hasWildcard(part: string): boolean {
	return /[*?[]/.test(part.replace(/\\./g, ""));
}

function unescaped(part: string): string {
	return part.replace(/\\(.)/g, "$1");
}

function escaped(name: string): string {
	return name.replace(/[*?[\\]/g, "\\$&");
}

function namesIn(directory: string): string[] {
	try {
		return readdirSync(directory).sort();
	} catch (error) {
		if (["ENOENT", "ENOTDIR", "EACCES"].includes(errnoCode(error) ?? "")) return [];
		throw error;
	}
}

/** Undefined for what is no symlink. */
function readLink(path: string): string | undefined {
	try {
		return readlinkSync(path);
	} catch (error) {
		const code = errnoCode(error);
		if (code === "EINVAL" || code === "ENOENT" || code === "ENOTDIR" || code === "EACCES" || code === "ELOOP")
			return undefined;
		throw error;
	}
}
