// What the machine must have before anything can be built: root, Debian, and some of its packages.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { SetupError } from "./setup-error.mjs";

/** Debian packages and what each is for. */
export const PACKAGES = [
	{ name: "crun", purpose: "OCI runtime" },
	{ name: "runc", purpose: "OCI runtime, fallback" },
	{ name: "libnftables1", purpose: "firewall rules" },
	{ name: "nftables", purpose: "firewall rules" },
	{ name: "iproute2", purpose: "network tools for the tests" },
	{ name: "procps", purpose: "ps, for top" },
	{ name: "busybox-static", purpose: "base image" },
	...(process.arch === "x64" ? [{ name: "libisal2", purpose: "quick compression of layers" }] : []),
	{ name: "gcc", purpose: "compiler for the shim" },
	{ name: "make", purpose: "compiler for the shim" },
	{ name: "libc6-dev", purpose: "compiler for the shim" },
];

/** Packages that only `npm test` installs. */
export const TEST_PACKAGES = [
	{ name: "openssl", purpose: "certificates" },
	{ name: "curl", purpose: "a client that is not ours" },
	{ name: "wget", purpose: "a client that is not ours" },
	{ name: "btrfs-progs", purpose: "a file system that shares blocks" },
	{ name: "e2fsprogs", purpose: "volumes on disks of their own" },
	{ name: "mount", purpose: "volumes on disks of their own" },
	{ name: "iptables", purpose: "a firewall that is not ours" },
	{ name: "git", purpose: "repositories to build from" },
	{ name: "bzip2", purpose: "archives to build from" },
	{ name: "xz-utils", purpose: "archives to build from" },
	{ name: "zstd", purpose: "archives to build from" },
];

/** Checks the machine and installs the missing ones of `packages`. Throws SetupError with one message that says what to do. */
export function prepareMachine(packages, log) {
	if (process.platform !== "linux") throw new SetupError(`Gantry runs on Linux, not on ${process.platform}`);
	const names = packages.map((each) => each.name);
	if (process.env.GANTRY_SKIP_PACKAGES === "1") return;
	const release = readOsRelease();
	if (!isDebian(release))
		throw new SetupError(
			`The set-up installs Debian packages, and this is ${release.PRETTY_NAME ?? release.ID ?? "an unknown distribution"}.\n` +
				`Install what corresponds to: ${names.join(" ")}\nThen run this again with GANTRY_SKIP_PACKAGES=1.`,
		);
	const missing = missingPackages(names);
	if (process.getuid?.() !== 0)
		throw new SetupError(
			"Gantry needs root: it makes namespaces, mounts, cgroups and firewall rules. Run this as root (sudo npm …)." +
				(missing.length === 0 ? "" : `\nIt will also install: ${missing.join(" ")}`),
		);
	if (missing.length > 0) installPackages(missing, log);
}

/** The fields of os-release(5), unquoted. */
export function parseOsRelease(text) {
	const fields = {};
	for (const line of text.split("\n")) {
		const match = /^([A-Z_0-9]+)=(.*)$/.exec(line.trim());
		if (match) fields[match[1]] = match[2].replace(/^(["'])(.*)\1$/, "$2");
	}
	return fields;
}

/** Debian itself or a distribution that says it is like it: apt and the same package names. */
export function isDebian(release) {
	return release.ID === "debian" || (release.ID_LIKE ?? "").split(/\s+/).includes("debian");
}

function readOsRelease() {
	for (const path of ["/etc/os-release", "/usr/lib/os-release"])
		if (existsSync(path)) return parseOsRelease(readFileSync(path, "utf8"));
	return {};
}

function missingPackages(names) {
	const query = spawnSync("dpkg-query", ["-W", "-f", "${Package} ${db:Status-Status}\n", ...names], {
		encoding: "utf8",
	});
	if (query.error) throw new SetupError(`dpkg-query cannot be run (${query.error.code}); install: ${names.join(" ")}`);
	const installed = new Set(
		query.stdout
			.split("\n")
			.filter((line) => line.endsWith(" installed"))
			.map((line) => line.slice(0, line.indexOf(" "))),
	);
	return names.filter((name) => !installed.has(name));
}

function installPackages(missing, log) {
	log(`installing Debian packages: ${missing.join(" ")}`);
	let result = hasPackageLists() ? aptGet(["install", ...missing]) : undefined;
	if (result?.status !== 0) {
		log("updating the package lists");
		const update = aptGet(["update"]);
		result = aptGet(["install", ...missing]);
		if (result.status !== 0 && update.status !== 0) result = update;
	}
	const absent = missingPackages(missing);
	if (absent.length > 0)
		throw new SetupError(`These Debian packages could not be installed: ${absent.join(" ")}\n${lastLines(result)}`);
}

/** Without any list an install can only fail. */
function hasPackageLists() {
	try {
		return readdirSync("/var/lib/apt/lists").some((name) => name.includes("_Packages"));
	} catch {
		return false; // no such directory: same as no list
	}
}

function aptGet(args) {
	return spawnSync("apt-get", ["-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", ...args], {
		encoding: "utf8",
		stdio: ["ignore", "pipe", "pipe"],
		maxBuffer: 64 * 1024 * 1024,
		env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
	});
}

function lastLines(result) {
	if (result.error) return `apt-get cannot be run: ${result.error.message}`;
	return `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-8).join("\n");
}
