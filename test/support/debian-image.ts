/** Debian for tests that install packages: made once of the same packages by the same code, and kept from run to run. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { hostMirrors, readInputs } from "../../src/cli/image/bootstrap/debian.ts";
import { mustRun } from "./commands.ts";

const ROOT = join(import.meta.dir, "../..");
const CACHE = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "gantry-tests");
/** What decides about the bytes. */
const SOURCES = ["src/cli/image/bootstrap", "src/core/diff"];
const LONG_MS = 10 * 60_000;
const SCRIPT = `set -e; umask 077
[ -e "$1" ] || { bin/gantry image bootstrap -q --slim -o "$1.new" debian > "$1.id"; mv "$1.new" "$1"; }
cat "$1.id"`;

export interface DebianArchive {
	/** For `load`; the image in it is called `debian:bookworm-slim`. */
	readonly path: string;
	readonly id: string;
}

/** Made in another language and time zone and with another umask than any test has. @throws Error when packages cannot be fetched */
export async function debianArchive(): Promise<DebianArchive> {
	const name = `debian-${await fingerprint()}.tar`;
	mkdirSync(CACHE, { recursive: true });
	for (const old of readdirSync(CACHE))
		if (old.startsWith("debian-") && !old.startsWith(name)) rmSync(join(CACHE, old), { force: true });
	const path = join(CACHE, name);
	// Two test files at once: one makes it, the other one waits.
	const argv = ["flock", join(CACHE, "lock"), "sh", "-c", SCRIPT, "sh", path];
	const env = { LC_ALL: "C", TZ: "Asia/Tokyo", SOURCE_DATE_EPOCH: undefined };
	return { path, id: await mustRun(argv, { cwd: ROOT, env, timeoutMs: LONG_MS }) };
}

async function fingerprint(): Promise<string> {
	const inputs = await readInputs({
		suite: "bookworm",
		mirrors: hostMirrors(),
		isSlim: true,
		sourceDateEpochS: undefined,
		architecture: process.arch,
	});
	const hash = createHash("sha256").update(inputs.fingerprint);
	for (const folder of SOURCES)
		for (const name of readdirSync(join(ROOT, folder)).sort())
			if (name.endsWith(".ts")) hash.update(readFileSync(join(ROOT, folder, name)));
	return hash.digest("hex").slice(0, 32);
}
