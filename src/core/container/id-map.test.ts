import { expect, test } from "bun:test";
import { formatIdRanges, parseIdMap } from "./id-map.ts";

test("parseIdMap() reads ranges of users and groups; those left out stay as they are", () => {
	expect(parseIdMap("uids=1000-0-1#2000-1-10;gids=100-0-1")).toEqual({
		uids: [
			{ onDisk: 1000, shown: 0, length: 1 },
			{ onDisk: 2000, shown: 1, length: 10 },
		],
		gids: [{ onDisk: 100, shown: 0, length: 1 }],
	});
	expect(parseIdMap("gids=1-2-3").uids).toEqual([{ onDisk: 0, shown: 0, length: 4294967295 }]);
	expect(formatIdRanges(parseIdMap("uids=1000-0-1#2000-1-10").uids)).toBe("1000 0 1\n2000 1 10\n");
});

test.each([
	["", "it must have the form"],
	["uids", "it must have the form"],
	["uids=", '"" is no range'],
	["uids=1-2", '"1-2" is no range'],
	["uids=1-2-0", '"1-2-0" is out of range'],
	["uids=4294967295-0-1", "is out of range"],
	["uids=1-2-x", "is no range"],
	["uids=0-0-1;uids=1-1-1", "uids is there twice"],
	["uids=0-0-10#5-20-1", "ranges of uids overlap"],
	["gids=0-0-10#20-9-1", "ranges of gids overlap"],
	[`uids=${Array.from({ length: 341 }, (_, id) => `${id}-${id}-1`).join("#")}`, "more than 340 ranges"],
])("parseIdMap(%j) says that %s", (text, why) => {
	expect(() => parseIdMap(text)).toThrow(why);
});
