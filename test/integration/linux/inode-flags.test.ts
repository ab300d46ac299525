import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spreadSubdirectories } from "../../../src/drivers/linux/inode-flags.ts";

const EXT4_MAGIC = 0xef53;
const directory = mkdtempSync(join(tmpdir(), "gantry-flags-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const flagsOf = (path: string) => spawnSync("lsattr", ["-d", path]).stdout.toString().split(" ")[0];

test.skipIf(statfsSync(directory).type !== EXT4_MAGIC)(
	"spreadSubdirectories() marks the directory as the top of unrelated ones, and only it (needs ext4)",
	() => {
		expect(flagsOf(directory)).not.toContain("T");
		expect(spreadSubdirectories(directory)).toBe(true);
		expect(spreadSubdirectories(directory)).toBe(true);
		expect(flagsOf(directory)).toContain("T");
		mkdirSync(join(directory, "child"));
		expect(flagsOf(join(directory, "child"))).not.toContain("T");
	},
);

test("spreadSubdirectories() changes nothing where the file system knows no such hint", () => {
	expect(spreadSubdirectories("/proc/self")).toBe(false);
});
