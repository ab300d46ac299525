/**
 * The Debian base image: mmdebstrap puts the packages together, and what it gives is written anew, so that the same packages and
 * release give the same bytes on every machine.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorMessage } from "../../../base/errors.ts";
import {
	DEFAULT_MIRRORS,
	type DebianMirrors,
	debianMirrors,
	parseDeb822Sources,
	parseSourcesList,
} from "./apt-sources.ts";
import { DEBIAN_FILES, debianSources, isKeptInDebian, SLIM_EXCLUDES } from "./debian-files.ts";
import { filterLayer } from "./layer-filter.ts";
import { type DebianRelease, parseRelease } from "./release-file.ts";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const FETCH_TIMEOUT_MS = 30_000;
/** Before trixie, merged /usr is a matter of who makes the system; these packages say that it is done. */
const MERGED_BY_HAND = new Set(["bookworm"]);
const MERGED_USR_HOOKS = "/usr/share/mmdebstrap/hooks/merged-usr";
/** apt would take the package that merges, and with it all of perl. */
const WITHOUT_USRMERGE = String.raw`mkdir -p "$1"/etc/apt/preferences.d && printf 'Package: usrmerge\nPin: release *\nPin-Priority: -1\n' > "$1"/etc/apt/preferences.d/gantry`;

export interface DebianOptions {
	/** A codename or `stable`. */
	readonly suite: string;
	readonly mirrors: DebianMirrors;
	readonly isSlim: boolean;
	/** Seconds since the epoch; undefined: the release's own date. */
	readonly sourceDateEpochS: number | undefined;
	/** `amd64` */
	readonly architecture: string;
}

export interface DebianInputs {
	readonly release: DebianRelease;
	readonly createdS: number;
	/** The same while the mirrors have the same packages and the options are the same. */
	readonly fingerprint: string;
	readonly hasUpdates: boolean;
}

/** The mirrors of this machine's apt, or of the project. */
export function hostMirrors(directory = "/etc/apt"): DebianMirrors {
	const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");
	const parts = join(directory, "sources.list.d");
	const names = existsSync(parts) ? readdirSync(parts).sort() : [];
	const ofKind = (suffix: string) =>
		names.filter((name) => name.endsWith(suffix)).map((name) => read(join(parts, name)));
	const sources = [
		...parseSourcesList(read(join(directory, "sources.list"))),
		...ofKind(".list").flatMap(parseSourcesList),
		...ofKind(".sources").flatMap(parseDeb822Sources),
	];
	return sources.length === 0 ? DEFAULT_MIRRORS : debianMirrors(sources);
}

/** What the mirrors have now. @throws Error naming the address that cannot be read */
export async function readInputs(options: DebianOptions): Promise<DebianInputs> {
	const { suite, mirrors } = options;
	const main = await fetchRelease(`${mirrors.main}/dists/${suite}/InRelease`);
	if (main === undefined) throw new Error(`${mirrors.main} has no suite ${suite}`);
	const release = parseRelease(main);
	const { codename } = release;
	const [updates, security] = await Promise.all([
		fetchRelease(`${mirrors.main}/dists/${codename}-updates/InRelease`),
		mirrors.security === undefined
			? undefined
			: fetchRelease(`${mirrors.security}/dists/${codename}-security/InRelease`),
	]);
	const hash = createHash("sha256").update(JSON.stringify(options));
	for (const text of [main, updates ?? "", security ?? ""]) hash.update(text);
	return {
		release,
		createdS: options.sourceDateEpochS ?? release.dateS,
		fingerprint: hash.digest("hex"),
		hasUpdates: updates !== undefined,
	};
}

/** The layer's tar. @param onPhase told what mmdebstrap is at. @throws Error with what it said */
export async function* makeDebianLayer(
	options: DebianOptions,
	inputs: DebianInputs,
	onPhase: (text: string) => void,
): AsyncGenerator<Uint8Array> {
	const { codename } = inputs.release;
	const sources = debianSources(codename, options.mirrors, inputs.hasUpdates, KEYRING);
	const child = Bun.spawn(mmdebstrapArguments(options, codename), {
		stdin: Buffer.from(sources),
		stdout: "pipe",
		stderr: "pipe",
		env: { ...process.env, ...aptProxies(), SOURCE_DATE_EPOCH: String(inputs.createdS), LC_ALL: "C.UTF-8" },
	});
	const said = followPhases(child.stderr, onPhase);
	let isDone = false;
	try {
		yield* filterLayer(child.stdout, {
			keeps: isKeptInDebian,
			added: [
				...DEBIAN_FILES,
				{ path: "etc/apt/sources.list.d/debian.sources", mode: 0o644, content: sources },
				...(options.isSlim
					? [{ path: "etc/dpkg/dpkg.cfg.d/docker-slim", mode: 0o644, content: `${SLIM_EXCLUDES.join("\n")}\n` }]
					: []),
			],
			latestS: inputs.createdS,
		});
		isDone = true;
	} catch (error) {
		// What it says itself is the better reason; a tar cut short is only what follows.
		if ((await child.exited) === 0) throw error;
	} finally {
		if (!isDone) child.kill();
	}
	const code = await child.exited;
	if (code !== 0) throw new Error(`mmdebstrap failed (${code}):\n${(await said).slice(-12).join("\n")}`);
}

/** @param codename of the suite */
export function mmdebstrapArguments(options: DebianOptions, codename: string): string[] {
	return [
		"mmdebstrap",
		"--mode=root",
		"--variant=minbase",
		"--format=tar",
		// What is cut short is thrown away: nothing has to be on the disk at once.
		"--dpkgopt=force-unsafe-io",
		`--architectures=${options.architecture}`,
		...(MERGED_BY_HAND.has(codename)
			? ["--include=usr-is-merged", `--hook-dir=${MERGED_USR_HOOKS}`, `--setup-hook=${WITHOUT_USRMERGE}`]
			: []),
		...(options.isSlim ? SLIM_EXCLUDES.map((line) => `--dpkgopt=${line}`) : []),
		codename,
		"-",
		"-",
	];
}

/** Its lines, as they come; those that name a phase are reported. @returns all of them */
async function followPhases(stream: ReadableStream<Uint8Array>, onPhase: (text: string) => void): Promise<string[]> {
	const lines: string[] = [];
	let rest = "";
	const decoder = new TextDecoder();
	for await (const chunk of stream) {
		const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
		rest = parts.pop() ?? "";
		for (const line of parts) {
			lines.push(line);
			const phase = /^I: ((?:running apt|downloading|extracting|installing|cleaning|creating).*?)(?:\.\.\.)?$/.exec(
				line,
			)?.[1];
			if (phase !== undefined) onPhase(phase);
		}
	}
	return [...lines, rest].filter((line) => line !== "");
}

/** @returns undefined when there is none */
async function fetchRelease(url: string): Promise<string | undefined> {
	let response: Response;
	try {
		const proxy = aptProxies()["http_proxy"];
		response = await fetch(url, {
			signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
			...(proxy === undefined ? {} : { proxy }),
		});
	} catch (cause) {
		throw new Error(`${url} cannot be read: ${errorMessage(cause)}`, { cause });
	}
	if (response.status === 404) return undefined;
	if (!response.ok) throw new Error(`${url} cannot be read: status ${response.status}`);
	return await response.text();
}

/** What apt is told to go through, for those that read only the environment. */
function aptProxies(): Readonly<Record<string, string>> {
	const dump = Bun.spawnSync(["apt-config", "dump", "--format", "%f=%v%n", "Acquire"]).stdout.toString();
	const value = (scheme: string) => new RegExp(`^Acquire::${scheme}::Proxy=(http\\S+)$`, "im").exec(dump)?.[1];
	const http = value("http");
	const https = value("https");
	return {
		...(http === undefined ? {} : { http_proxy: http }),
		...(https === undefined ? {} : { https_proxy: https }),
	};
}
