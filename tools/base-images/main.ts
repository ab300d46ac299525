/**
 * Makes the library of base images and pushes it to a local registry under the official names:
 *
 *   npm run base-images -- --registry 127.0.0.1:5000 [--serve DIR] [--mirror URL] [name…]
 *
 * With `"registry-mirrors": ["http://127.0.0.1:5000"]` in daemon.json, `gantry run nginx` works on a machine that reaches nothing
 * but its package mirror. What is there already is found, not made again.
 */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chooseImages, type LibraryImage, repositoryOf, tagsOf } from "./catalog.ts";

const ROOT = join(import.meta.dir, "../..");
const GANTRY = join(ROOT, "bin/gantry");
/** The Dockerfiles are written for its packages. */
const SUITE = "bookworm";
const REGISTRY_START_MS = 10_000;

const USAGE = `Usage: npm run base-images -- [--registry HOST:PORT] [--serve DIR] [--mirror URL] [--verbose] [IMAGE...]

Images: busybox debian debian-slim nginx redis python node postgres (default: all)

  --registry HOST:PORT   push them there, as library/IMAGE
  --serve DIR            start a registry on that address when none answers, with its files in DIR
  --mirror URL           Debian package mirror (default: this machine's)
  --verbose              show all output of the builds`;

/** What the message explains; no stack is printed. */
class LibraryError extends Error {}

interface Options {
	readonly registry: string | undefined;
	readonly serveDirectory: string | undefined;
	readonly mirror: string | undefined;
	readonly isVerbose: boolean;
	readonly images: readonly LibraryImage[];
}

function say(image: string, text: string): void {
	console.log(`${image.padEnd(12)} ${text}`);
}

function readOptions(): Options | undefined {
	try {
		const { values, positionals } = parseArgs({
			allowPositionals: true,
			options: {
				registry: { type: "string" },
				serve: { type: "string" },
				mirror: { type: "string" },
				verbose: { type: "boolean" },
				help: { type: "boolean", short: "h" },
			},
		});
		if (values.help === true) return undefined;
		if (values.serve !== undefined && values.registry === undefined)
			throw new LibraryError("--serve needs --registry, the address to serve on");
		return {
			registry: values.registry,
			serveDirectory: values.serve,
			mirror: values.mirror,
			isVerbose: values.verbose === true,
			images: chooseImages(positionals),
		};
	} catch (error) {
		throw new LibraryError(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
	}
}

/** @throws LibraryError with the end of what it said */
async function gantry(args: readonly string[], isShown = false): Promise<string> {
	const child = Bun.spawn([GANTRY, ...args], {
		stdin: "ignore",
		stdout: "pipe",
		stderr: isShown ? "inherit" : "pipe",
		env: process.env,
	});
	const [stdout, stderr, code] = await Promise.all([
		child.stdout.text(),
		child.stderr === undefined ? "" : new Response(child.stderr).text(),
		child.exited,
	]);
	if (code === 0) return stdout.trim();
	const said = `${stdout}\n${stderr}`.trim().split("\n").slice(-20).join("\n");
	throw new LibraryError(`gantry ${args.join(" ")} ended with code ${code}:\n${said}`);
}

async function isRegistryUp(registry: string): Promise<boolean> {
	for (const scheme of ["http", "https"])
		try {
			const response = await fetch(`${scheme}://${registry}/v2/`, { signal: AbortSignal.timeout(2_000) });
			if (response.ok || response.status === 401) return true;
		} catch {
			// Nobody there, or nobody who speaks it.
		}
	return false;
}

/** A process of its own, which stays when this program ends. */
async function needRegistry(registry: string, directory: string | undefined): Promise<void> {
	if (await isRegistryUp(registry)) return;
	if (directory === undefined)
		throw new LibraryError(
			`No registry answers on ${registry}. Start one, or let this do it with --serve DIR:\n  ${GANTRY} registry serve --root DIR --addr ${registry}`,
		);
	mkdirSync(directory, { recursive: true });
	const log = openSync(join(directory, "registry.log"), "a");
	const child = Bun.spawn([GANTRY, "registry", "serve", "--root", join(directory, "registry"), "--addr", registry], {
		cwd: "/",
		detached: true,
		stdin: "ignore",
		stdout: log,
		stderr: log,
	});
	closeSync(log);
	const deadline = Date.now() + REGISTRY_START_MS;
	while (!(await isRegistryUp(registry))) {
		if (child.exitCode !== null || Date.now() > deadline)
			throw new LibraryError(`The registry did not start; ${join(directory, "registry.log")} says why`);
		await Bun.sleep(50);
	}
	child.unref();
	say("registry", `started on ${registry}, process ${child.pid}, log in ${join(directory, "registry.log")}`);
}

/** @returns its local name */
async function make(image: LibraryImage, { mirror, isVerbose }: Options): Promise<string> {
	const { bootstrap, name } = image;
	if (bootstrap !== undefined) {
		const isDebian = bootstrap.includes("debian");
		const flags = isDebian ? ["--suite", SUITE, ...(mirror === undefined ? [] : ["--mirror", mirror])] : [];
		await gantry(["image", "bootstrap", ...flags, ...bootstrap], true);
		return `${repositoryOf(image)}:${tagsOf(image, SUITE, undefined)[0]}`;
	}
	say(name, "building");
	await gantry(["build", "--progress", "plain", "-t", `${name}:latest`, join(import.meta.dir, name)], isVerbose);
	return `${name}:latest`;
}

async function packageVersion({ versionOf }: LibraryImage, localName: string): Promise<string | undefined> {
	if (versionOf === undefined) return undefined;
	const query = ["--entrypoint", "dpkg-query", localName, "-W", "-f", "${Version}", versionOf];
	return await gantry(["run", "--rm", "--network", "none", ...query]);
}

/** Under the official name and all its tags; these are only made for the push. */
async function push(image: LibraryImage, localName: string, tags: readonly string[], registry: string): Promise<void> {
	const repository = `${registry}/library/${repositoryOf(image)}`;
	for (const tag of tags) {
		await gantry(["tag", localName, `${repository}:${tag}`]);
		await gantry(["push", "-q", `${repository}:${tag}`]);
		await gantry(["rmi", `${repository}:${tag}`]);
	}
}

async function main(): Promise<void> {
	const options = readOptions();
	if (options === undefined) {
		console.log(USAGE);
		return;
	}
	const { registry, serveDirectory, images } = options;
	await gantry(["version"]);
	if (registry !== undefined) await needRegistry(registry, serveDirectory);
	for (const image of images) {
		const startedAt = performance.now();
		const localName = await make(image, options);
		const tags = tagsOf(image, SUITE, await packageVersion(image, localName));
		for (const tag of tags) await gantry(["tag", localName, `${repositoryOf(image)}:${tag}`]);
		if (registry !== undefined) await push(image, localName, tags, registry);
		const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
		say(image.name, `${registry === undefined ? "made" : "pushed"}: ${tags.join(", ")} (${seconds} s)`);
	}
	if (registry !== undefined) console.log(`\nIn daemon.json:  "registry-mirrors": ["http://${registry}"]`);
}

try {
	await main();
} catch (error) {
	if (!(error instanceof LibraryError)) throw error;
	console.error(error.message);
	process.exitCode = 1;
}
