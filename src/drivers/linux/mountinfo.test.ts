import { expect, test } from "bun:test";
import { mountOf, mountsUnder, parseMountInfo } from "./mountinfo.ts";

const TEXT = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 22 0:25 /sub\\040dir /srv/a\\040b ro,nosuid master:3 - tmpfs none rw,size=4k
31 30 0:26 / /srv/a\\040b/c rw unbindable - overlay overlay rw,lowerdir=/x
32 22 0:27 / /srv/ab rw - tmpfs t rw
`;

test("parseMountInfo() reads optional fields, escapes and both kinds of options", () => {
	const [, entry, third] = parseMountInfo(TEXT);
	expect(entry).toEqual({
		id: 30,
		parentId: 22,
		device: "0:25",
		root: "/sub dir",
		mountPoint: "/srv/a b",
		options: ["ro", "nosuid"],
		propagation: { master: 3, unbindable: false },
		fsType: "tmpfs",
		source: "none",
		superOptions: ["rw", "size=4k"],
	});
	expect(third?.propagation).toEqual({ unbindable: true });
});

test("mountsUnder() lists the deepest first and takes no sibling with the same prefix", () => {
	const entries = parseMountInfo(TEXT);
	expect(mountsUnder(entries, "/srv/a b").map((entry) => entry.id)).toEqual([31, 30]);
	expect(mountsUnder(entries, "/srv/a").map((entry) => entry.id)).toEqual([]);
});

test("mountOf() finds the longest mount point above a path", () => {
	const entries = parseMountInfo(TEXT);
	expect(mountOf(entries, "/srv/a b/c/d")?.id).toBe(31);
	expect(mountOf(entries, "/srv/abc")?.id).toBe(22);
});
