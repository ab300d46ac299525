import { checkFilterKeys, type Filters } from "../../api/engine/filters.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { parsePastTime } from "../event/timestamp-filter.ts";
import type { ImageRecord } from "./image-record.ts";
import { findImage, type ImageTable } from "./lookup.ts";
import { familiar, splitReference } from "./reference.ts";

const LIST_FILTERS = ["dangling", "label", "before", "since", "reference", "until"];

/** 0 when the image does not say. */
export function createdAtMs(image: ImageRecord): number {
	return Date.parse(image.config.created ?? "") || 0;
}

/**
 * The images that pass `images`' filters. With `reference`, an image shows only its matching tags and digests.
 * @throws InvalidParameterError, NotFoundError when `before` or `since` names no image
 */
export function matchImages(table: ImageTable, filters: Filters): ImageRecord[] {
	checkFilterKeys(filters, LIST_FILTERS);
	const tests: ((image: ImageRecord) => boolean)[] = [];
	const dangling = danglingFilter(filters);
	if (dangling !== undefined) tests.push((image) => isDangling(image) === dangling);
	for (const name of filters.get("before") ?? []) {
		const limit = createdAtMs(findImage(table, name));
		tests.push((image) => createdAtMs(image) < limit);
	}
	for (const name of filters.get("since") ?? []) {
		const limit = createdAtMs(findImage(table, name));
		tests.push((image) => createdAtMs(image) > limit);
	}
	for (const text of filters.get("until") ?? []) {
		const limit = parsePastTime(text, Date.now());
		tests.push((image) => createdAtMs(image) < limit);
	}
	tests.push((image) => matchLabels(image, filters.get("label") ?? []));
	const images = [...table.all()].filter((image) => tests.every((test) => test(image)));
	const patterns = filters.get("reference") ?? [];
	return patterns.length === 0 ? images : images.flatMap((image) => withMatching(image, patterns));
}

export function isDangling(image: ImageRecord): boolean {
	return image.tags.length === 0;
}

/** @throws InvalidParameterError */
export function danglingFilter(filters: Filters): boolean | undefined {
	const values = filters.get("dangling");
	if (values === undefined || values.length === 0) return undefined;
	const truths = values.map((value) => BOOLEANS.get(value.toLowerCase()));
	const [first] = truths;
	if (first === undefined || truths.some((truth) => truth !== first))
		throw new InvalidParameterError(`invalid filter 'dangling=[${values.join(" ")}]'`);
	return first;
}

const BOOLEANS = new Map([
	["true", true],
	["1", true],
	["false", false],
	["0", false],
]);

/** Every wanted `key` or `key=value` is there. */
export function matchLabels(image: ImageRecord, wanted: readonly string[]): boolean {
	const labels = (image.config.config?.["Labels"] ?? {}) as Record<string, string>;
	return wanted.every((text) => {
		const at = text.indexOf("=");
		const value = labels[at < 0 ? text : text.slice(0, at)];
		return value !== undefined && (at < 0 || value === text.slice(at + 1));
	});
}

function withMatching(image: ImageRecord, patterns: readonly string[]): ImageRecord[] {
	const matches = (reference: string) => patterns.some((pattern) => matchReference(pattern, reference));
	const tags = image.tags.filter(matches);
	const repoDigests = image.repoDigests.filter(matches);
	return tags.length === 0 && repoDigests.length === 0 ? [] : [{ ...image, tags, repoDigests }];
}

/** Shell pattern over the familiar form, with or without its tag (Go's path.Match: `*` stops at a slash). */
export function matchReference(pattern: string, reference: string): boolean {
	const expression = globExpression(pattern);
	const short = familiar(reference);
	return expression.test(short) || expression.test(familiar(splitReference(reference).name));
}

/** @throws InvalidParameterError */
function globExpression(pattern: string): RegExp {
	const source = pattern.replace(
		/\\(.)|\*|\?|\[(\^?)((?:\\.|[^\]\\])+)\]|[.+^${}()|[\]/]/g,
		(whole, escaped, not, set) => {
			if (escaped !== undefined) return `\\${escaped}`;
			if (whole === "*") return "[^/]*";
			if (whole === "?") return "[^/]";
			return set === undefined ? `\\${whole}` : `[${not}${set}]`;
		},
	);
	try {
		return new RegExp(`^${source}$`);
	} catch (cause) {
		throw new InvalidParameterError("syntax error in pattern", { cause });
	}
}
