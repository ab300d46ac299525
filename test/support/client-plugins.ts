/**
 * Docker's plugins for tests: those of this machine, else those of Debian's next release, whose binaries run on this one, too. They are
 * fetched once, checked by apt as every package is, installed nowhere, and kept from run to run.
 */
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { hostMirrors } from "../../src/cli/image/bootstrap/debian.ts";
import { runCommand } from "./commands.ts";

/** Names the directory of other plugins to be tested with. */
const VARIABLE = "GANTRY_TEST_PLUGINS";
const DIRECTORIES = [
	join(homedir(), ".docker/cli-plugins"),
	"/usr/local/lib/docker/cli-plugins",
	"/usr/local/libexec/docker/cli-plugins",
	"/usr/lib/docker/cli-plugins",
	"/usr/libexec/docker/cli-plugins",
];
/** Debian 12 has no packages of them. */
const SUITE = "forky";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const CACHE = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "gantry-tests");
const FETCHED = join(CACHE, `plugins-${SUITE}`);
const LONG_MS = 5 * 60_000;
/** $1: directory for the result, $2: sources, the rest: packages. */
const SCRIPT = `set -e; [ ! -e "$1" ] || exit 0
new=$1.new; sources=$2; target=$1; shift 2
rm -rf "$new"; mkdir -p "$new/lists/partial" "$new/archives/partial" "$new/tree"; cd "$new"
printf '%s\\n' "$sources" > sources.list
apt() { apt-get -q -o Dir::Etc::SourceList="$new/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$new/lists" \\
	-o Dir::Cache="$new" -o APT::Sandbox::User=root -o Acquire::Languages=none "$@"; }
apt update; apt download "$@"
for package in *.deb; do dpkg-deb -x "$package" tree; done
mv tree "$target"; rm -rf "$new"`;

const why: string[] = [];
const directories = [process.env[VARIABLE] ?? "", ...DIRECTORIES, ...(await fetched())].filter((each) => each !== "");

export const buildxPlugin = find("docker-buildx");
export const composePlugin = find("docker-compose");

/** What the absence of a plugin means: part of the names of tests that are skipped. */
export const withoutPlugin = (name: string) =>
	` (skipped: no ${name} in ${[`$${VARIABLE}`, ...DIRECTORIES].join(", ")}${why.map((reason) => `; ${reason}`).join("")})`;

function find(name: string): string | undefined {
	return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

async function fetched(): Promise<string[]> {
	const isThere = DIRECTORIES.some((directory) => existsSync(join(directory, "docker-buildx")));
	if (isThere || process.env[VARIABLE] !== undefined) return [];
	if (Bun.which("apt-get") === null) {
		why.push("no apt-get to fetch it with");
		return [];
	}
	mkdirSync(CACHE, { recursive: true });
	const sources = `deb [signed-by=${KEYRING}] ${hostMirrors().main} ${SUITE} main`;
	const script = ["sh", "-c", SCRIPT, "sh", FETCHED, sources, "docker-buildx", "docker-compose"];
	// Several test files at once: one fetches, the others wait.
	const { code, stderr } = await runCommand(["flock", `${FETCHED}.lock`, ...script], { timeoutMs: LONG_MS });
	if (code !== 0) why.push(`and it could not be fetched: ${stderr.trim().split("\n").at(-1) ?? ""}`);
	return code === 0 ? [join(FETCHED, "usr/libexec/docker/cli-plugins")] : [];
}
