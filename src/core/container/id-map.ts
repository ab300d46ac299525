import { InvalidParameterError } from "../../base/errors.ts";

/** A run of user or group IDs: files that belong to `onDisk` belong to `shown` where they are mounted, and so on. */
export interface IdRange {
	readonly onDisk: number;
	readonly shown: number;
	readonly length: number;
}

/** Whom files belong to through an ID-mapped mount; what is not mapped belongs to nobody (65534). */
export interface IdMap {
	readonly uids: readonly IdRange[];
	readonly gids: readonly IdRange[];
}

/** What a kernel takes in one map (user_namespaces(7)). */
const RANGE_LIMIT = 340;
const ID_LIMIT = 2 ** 32 - 1;
const ALL: readonly IdRange[] = [{ onDisk: 0, shown: 0, length: ID_LIMIT }];

/**
 * `uids=1000-0-1#2000-1-10;gids=100-0-1`, as with Podman: IDs on disk, IDs shown, how many. Groups or users that are left out stay
 * as they are.
 * @throws InvalidParameterError
 */
export function parseIdMap(text: string): IdMap {
	const fail = (why: string) => new InvalidParameterError(`invalid idmap "${text}": ${why}`);
	let uids: IdRange[] | undefined;
	let gids: IdRange[] | undefined;
	for (const part of text.split(";")) {
		const [, kind, list = ""] = /^(uids|gids)=(.*)$/.exec(part) ?? [];
		if (kind === undefined) throw fail("it must have the form uids=DISK-SHOWN-LENGTH[#…];gids=DISK-SHOWN-LENGTH[#…]");
		if ((kind === "uids" ? uids : gids) !== undefined) throw fail(`${kind} is there twice`);
		const ranges = list.split("#").map((range) => parseRange(range, fail));
		checkRanges(ranges, kind, fail);
		if (kind === "uids") uids = ranges;
		else gids = ranges;
	}
	return { uids: uids ?? ALL, gids: gids ?? ALL };
}

/** Lines of /proc/<pid>/uid_map and gid_map. */
export function formatIdRanges(ranges: readonly IdRange[]): string {
	return ranges.map(({ onDisk, shown, length }) => `${onDisk} ${shown} ${length}\n`).join("");
}

type Fail = (why: string) => InvalidParameterError;

function parseRange(text: string, fail: Fail): IdRange {
	const match = /^(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(text);
	if (match === null) throw fail(`"${text}" is no range`);
	const [onDisk = 0, shown = 0, length = 0] = match.slice(1).map(Number);
	if (length === 0 || onDisk + length > ID_LIMIT || shown + length > ID_LIMIT) throw fail(`"${text}" is out of range`);
	return { onDisk, shown, length };
}

/** Each ID may be mapped once, and mapped to once. */
function checkRanges(ranges: readonly IdRange[], kind: string, fail: Fail): void {
	if (ranges.length > RANGE_LIMIT) throw fail(`more than ${RANGE_LIMIT} ranges of ${kind}`);
	for (const side of ["onDisk", "shown"] as const) {
		const sorted = [...ranges].sort((one, other) => one[side] - other[side]);
		const overlaps = sorted.some((range, index) => {
			const next = sorted[index + 1];
			return next !== undefined && range[side] + range.length > next[side];
		});
		if (overlaps) throw fail(`ranges of ${kind} overlap`);
	}
}
