import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { errnoCode } from "../../../src/base/errors.ts";
import {
	bindMount,
	mountFileSystem,
	setMountAttributes,
	unmount,
	unmountTree,
} from "../../../src/drivers/linux/mount.ts";
import { mountOf, mountsUnder, readMountInfo } from "../../../src/drivers/linux/mountinfo.ts";
import { mountByOptionString, mountOverlay } from "../../../src/drivers/linux/overlay.ts";

let base: string;

beforeEach(() => {
	base = mkdtempSync("/tmp/gantry-mount-");
	for (const name of ["target", "upper", "work", "bound"]) mkdirSync(`${base}/${name}`);
});

afterEach(() => {
	unmountTree(base);
	expect(mountsUnder(readMountInfo(), base)).toEqual([]);
	rmSync(base, { recursive: true, force: true });
});

function codeOf(action: () => unknown): string | undefined {
	try {
		action();
	} catch (error) {
		return errnoCode(error);
	}
	return undefined;
}

describe.each([
	["as this kernel takes it", mountOverlay],
	["as Linux before 6.7 takes it", mountByOptionString],
])("an overlay %s", (_, mountIt) => {
	test("of two hundred layers with colons, commas and long paths shows the topmost file", () => {
		const lower = Array.from({ length: 200 }, (_, index) => `${base}/layer:${index},${"x".repeat(100)}`);
		for (const [index, layer] of lower.entries()) {
			mkdirSync(layer);
			writeFileSync(`${layer}/file`, `from ${index}`);
			writeFileSync(`${layer}/only-${index}`, "");
		}
		mountIt(`${base}/target`, { lower, upper: `${base}/upper`, work: `${base}/work`, options: ["metacopy=off"] });
		expect(readFileSync(`${base}/target/file`, "utf8")).toBe("from 0");
		expect(readdirSync(`${base}/target`).length).toBe(201);
		writeFileSync(`${base}/target/new`, "");
		expect(readdirSync(`${base}/upper`)).toEqual(["new"]);
	});

	test("is read-only when asked", () => {
		const lower = [`${base}/upper`, `${base}/bound`];
		mountIt(`${base}/target`, { lower, attributes: { readOnly: true, noSuid: true } });
		expect(codeOf(() => writeFileSync(`${base}/target/new`, ""))).toBe("EROFS");
		expect(mountOf(readMountInfo(), `${base}/target`)?.options).toContain("nosuid");
	});

	test("with a missing layer fails, leaves no mount and no descriptor", () => {
		const before = readdirSync("/proc/self/fd").length;
		const action = () =>
			mountIt(`${base}/target`, { lower: [`${base}/none`], upper: `${base}/upper`, work: `${base}/work` });
		expect(codeOf(action)).toBe("ENOENT");
		expect(mountsUnder(readMountInfo(), base)).toEqual([]);
		expect(readdirSync("/proc/self/fd").length).toBe(before);
	});
});

test("a kernel that takes one string says how many layers are too many", () => {
	const lower = Array.from({ length: 400 }, () => `${base}/upper`);
	expect(() => mountByOptionString(`${base}/target`, { lower })).toThrow("cannot stack 400 layers");
});

test("a wrong option is reported in the kernel's words", () => {
	expect(() => mountFileSystem("tmpfs", `${base}/target`, ["sizzle=1m"])).toThrow(/sizzle/);
});

test("a recursive read-only bind covers the mounts below, a plain one does not", () => {
	mountFileSystem("tmpfs", `${base}/target`, ["size=1m"]);
	mkdirSync(`${base}/target/inner`);
	mountFileSystem("tmpfs", `${base}/target/inner`, ["size=1m"]);
	bindMount(`${base}/target`, `${base}/bound`, { recursive: true, readOnly: true });
	expect(codeOf(() => writeFileSync(`${base}/bound/x`, ""))).toBe("EROFS");
	writeFileSync(`${base}/bound/inner/x`, "");
	unmountTree(`${base}/bound`);
	bindMount(`${base}/target`, `${base}/bound`, { recursive: true, readOnlyRecursive: true });
	expect(codeOf(() => writeFileSync(`${base}/bound/inner/y`, ""))).toBe("EROFS");
	writeFileSync(`${base}/target/inner/y`, "");
});

test("propagation and attributes show in mountinfo", () => {
	mountFileSystem("tmpfs", `${base}/target`, ["mode=1777"], { noExec: true });
	bindMount(`${base}/target`, `${base}/bound`, { propagation: "shared" });
	setMountAttributes(`${base}/bound`, { noSuid: true });
	const entry = mountOf(readMountInfo(), `${base}/bound/some/file`);
	expect(entry?.mountPoint).toBe(`${base}/bound`);
	expect(entry?.options).toContain("noexec");
	expect(entry?.options).toContain("nosuid");
	expect(entry?.propagation.shared).toBeGreaterThan(0);
});

test("unmounting what is not mounted is EINVAL", () => {
	expect(codeOf(() => unmount(`${base}/target`))).toBe("EINVAL");
});
