/** Answers about a Dockerfile as BuildKit's `--call … format=json` has them. */
import type { LintResult } from "./lint/lint.ts";
import type { Outline, Target } from "./outline.ts";
import { linesOf, type SourceRange } from "./source-range.ts";

export interface ReportSource {
	readonly name: string;
	readonly text: string;
}

export function findingsJson({ warnings, error }: LintResult, source: ReportSource) {
	return {
		warnings: warnings.map(({ rule, description, url, message, range }) => ({
			ruleName: rule,
			description,
			url,
			detail: message,
			location: location([range]),
		})),
		...(error === undefined ? {} : { buildError: { message: error.message, location: location(error.ranges) } }),
		sources: [{ filename: source.name, language: "Dockerfile", data: base64(source) }],
	};
}

export function targetsJson(targets: readonly Target[], source: ReportSource) {
	const list = targets.map(({ name, isDefault, description, base, platform, range }) => ({
		...(name === "" ? {} : { name }),
		...(isDefault ? { default: true } : {}),
		...(description === "" ? {} : { description }),
		base,
		...(platform === "" ? {} : { platform }),
		location: location([range]),
	}));
	return { targets: list, sources: [base64(source)] };
}

export function outlineJson({ name, description, args, secrets, ssh, caches }: Outline, source: ReportSource) {
	const placed = ({ range, ...rest }: { readonly range: SourceRange }) => ({ ...rest, location: location([range]) });
	return {
		name,
		description,
		args: args.map(placed),
		secrets: secrets.map(placed),
		ssh: ssh.map(placed),
		cache: caches.map(placed),
		sources: [base64(source)],
	};
}

/** First and last line of a range. */
export function lineRange(range: SourceRange): { start: number; end: number } {
	const lines = linesOf(range);
	return { start: lines[0] ?? range.start.line, end: lines.at(-1) ?? range.end.line };
}

/** As BuildKit's answers name places: columns are not known there. */
function location(ranges: readonly SourceRange[]) {
	return {
		ranges: ranges.map((range) => {
			const { start, end } = lineRange(range);
			return { start: { line: start }, end: { line: end } };
		}),
	};
}

function base64({ text }: ReportSource): string {
	return Buffer.from(text).toString("base64");
}
