import { expect, test } from "bun:test";
import { DEFAULT_MIRRORS } from "./apt-sources.ts";
import { mmdebstrapArguments } from "./debian.ts";
import { SLIM_EXCLUDES } from "./debian-files.ts";

const options = { suite: "stable", mirrors: DEFAULT_MIRRORS, sourceDateEpochS: undefined, architecture: "arm64" };

test("the slim image is the same with fewer files", () => {
	const full = mmdebstrapArguments({ ...options, isSlim: false }, "bookworm");
	const slim = mmdebstrapArguments({ ...options, isSlim: true }, "bookworm");
	const excludes = slim.filter((argument) => !full.includes(argument));
	expect(excludes).toEqual(SLIM_EXCLUDES.map((line) => `--dpkgopt=${line}`));
	expect(slim.filter((argument) => !excludes.includes(argument))).toEqual(full);
	expect(full).toContain("--architectures=arm64");
	expect(full.slice(-3)).toEqual(["bookworm", "-", "-"]);
});

test("only where merged /usr is made by hand, the packages for it are named", () => {
	const trixie = mmdebstrapArguments({ ...options, isSlim: false }, "trixie");
	expect(trixie.some((argument) => /hook|include/.test(argument))).toBe(false);
});
