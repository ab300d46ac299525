import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxEntries } from "./busybox-tree.ts";
import { writeTar } from "./entry-tar.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-busybox-image-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("the image's tar unpacks with tar(1) to the program, its applets, and directories with their modes", () => {
	const program = Buffer.from("a".repeat(1000));
	writeFileSync(
		join(directory, "image.tar"),
		writeTar(busyboxEntries(program, ["sh", "[", "busybox", "sh"]), 1_000_000),
	);
	const tar = spawnSync("tar", ["-xpf", "image.tar"], { cwd: directory, encoding: "utf8" });
	expect({ status: tar.status, stderr: tar.stderr }).toEqual({ status: 0, stderr: "" });
	expect(readFileSync(join(directory, "bin/sh"))).toEqual(program);
	expect(statSync(join(directory, "usr/bin/env")).size).toBe(1000);
	expect(statSync(join(directory, "bin/[")).mode & 0o7777).toBe(0o755);
	expect(statSync(join(directory, "tmp")).mode & 0o7777).toBe(0o1777);
	expect(readFileSync(join(directory, "etc/passwd"), "utf8")).toStartWith("root:x:0:0:root:/root:/bin/sh\n");
	expect(statSync(join(directory, "etc/passwd")).mtimeMs).toBe(1_000_000_000);
});

test("writeTar() gives the same bytes for the same entries and refuses a name that does not fit", () => {
	const entries = busyboxEntries(Buffer.from("x"), ["ls"]);
	expect(writeTar(entries, 1)).toEqual(writeTar(entries, 1));
	expect(() => writeTar([{ kind: "directory", path: "d".repeat(100), mode: 0o755 }], 1)).toThrow(RangeError);
});
