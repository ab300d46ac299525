/** Makes base images and hands them to the daemon. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { ProgressMessage } from "../../../api/engine/image.ts";
import { humanSize } from "../../../base/units.ts";
import { ApiError } from "../../../client/api-error.ts";
import { loadImages, tagImage } from "../../../client/images.ts";
import { jsonLines } from "../../../client/json-lines.ts";
import { inspectText } from "../../../client/system.ts";
import { parseReference, withDefaultTag } from "../../../core/image/reference.ts";
import type { CliContext } from "../../context.ts";
import { onlyErrors, showProgress } from "../progress.ts";
import { type ImageDescription, imageArchive, SpooledLayer } from "./image-archive.ts";

export interface BootstrapRequest {
	readonly tags: readonly string[];
	readonly isForced: boolean;
	/** Empty: into the daemon. */
	readonly outputPath: string;
	readonly report: (text: string) => Promise<void> | void;
}

export interface DebianRequest extends BootstrapRequest {
	readonly suite: string;
	readonly mirror: string;
	readonly securityMirror: string;
	readonly isSlim: boolean;
}

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const DEFAULT_SUITE = "bookworm";

/** @returns the image's ID */
export async function bootstrapBusybox(context: CliContext, request: BootstrapRequest): Promise<string> {
	const { busyboxProgram } = await import("./busybox-program.ts");
	const { busyboxTar, BUSYBOX_TIME_S } = await import("./busybox-tree.ts");
	const program = await busyboxProgram(request.report);
	const tar = busyboxTar(program.bytes, program.applets);
	using layer = await SpooledLayer.write(oneChunk(tar));
	return await store(context, request, layer, {
		architecture: goArchitecture(),
		createdS: BUSYBOX_TIME_S,
		command: ["sh"],
		environment: [PATH],
		createdBy: "gantry image bootstrap busybox",
		tags: request.tags.length === 0 ? ["busybox:latest"] : request.tags,
	});
}

/** @returns the image's ID */
export async function bootstrapDebian(context: CliContext, request: DebianRequest): Promise<string> {
	const { hostMirrors, makeDebianLayer, readInputs } = await import("./debian.ts");
	const { needProgram } = await import("./host-package.ts");
	if (process.getuid?.() !== 0)
		throw new Error("a Debian image can only be made by root: packages are unpacked and set up");
	await needProgram("mmdebstrap", request.report);
	const { suite, mirror, securityMirror, isSlim, report } = request;
	const mirrors =
		mirror === ""
			? hostMirrors()
			: { main: mirror.replace(/\/+$/, ""), security: securityMirror === "" ? undefined : securityMirror };
	const options = {
		suite,
		mirrors: securityMirror === "" ? mirrors : { ...mirrors, security: securityMirror.replace(/\/+$/, "") },
		isSlim,
		sourceDateEpochS: sourceDateEpoch(context),
		architecture: goArchitecture(),
	};
	const inputs = await readInputs(options);
	const { codename, version } = inputs.release;
	const tags = request.tags.length === 0 ? defaultTags(codename, isSlim) : request.tags;
	await report(`${tags[0]}: Debian ${version} ${codename} from ${options.mirrors.main}`);
	const memory = new Memory(context, inputs.fingerprint);
	const known = memory.read();
	if (known !== undefined && !request.isForced && request.outputPath === "" && (await retag(context, known, tags))) {
		await report(`${tags[0]}: nothing has changed since it was made`);
		return known;
	}
	const onPhase = (phase: string) => void report(`${tags[0]}: ${phase}`);
	using layer = await SpooledLayer.write(makeDebianLayer(options, inputs, onPhase));
	const id = await store(context, request, layer, {
		architecture: options.architecture,
		createdS: inputs.createdS,
		command: ["bash"],
		environment: [PATH],
		createdBy: `gantry image bootstrap debian --suite ${codename}${isSlim ? " --slim" : ""}`,
		tags,
	});
	if (request.outputPath === "") memory.write(id);
	return id;
}

/** `debian:bookworm` and, of the release that is the default, `debian:latest`. */
function defaultTags(codename: string, isSlim: boolean): string[] {
	const tag = isSlim ? `${codename}-slim` : codename;
	return codename === DEFAULT_SUITE && !isSlim ? [`debian:${tag}`, "debian:latest"] : [`debian:${tag}`];
}

async function store(
	context: CliContext,
	request: BootstrapRequest,
	layer: SpooledLayer,
	image: ImageDescription,
): Promise<string> {
	const { id, archive } = imageArchive(layer, image);
	if (request.outputPath !== "") {
		await writeArchive(request.outputPath, archive);
		return id;
	}
	await request.report(`${image.tags[0]}: loading ${humanSize(layer.sizeBytes)}`);
	const response = await loadImages(await context.client(), archive, { isQuiet: true });
	await showProgress(onlyErrors(jsonLines<ProgressMessage>(response)), context.stderr);
	return id;
}

/** Beside the target, then renamed: it is there whole or not at all. */
async function writeArchive(path: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
	const partial = `${path}.${process.pid}.partial`;
	try {
		const file = await open(partial, "wx", 0o644);
		try {
			for await (const chunk of archive) await file.write(chunk);
		} finally {
			await file.close();
		}
		await rename(partial, path);
	} catch (error) {
		await unlink(partial).catch(() => {}); // it may never have been there
		throw error;
	}
}

/** @returns whether the image is there, and has the names now */
async function retag(context: CliContext, id: string, tags: readonly string[]): Promise<boolean> {
	const client = await context.client();
	try {
		await inspectText(client, "image", id);
		for (const text of tags) {
			const { name, tag = "latest" } = withDefaultTag(parseReference(text));
			await tagImage(client, id, name, tag);
		}
		return true;
	} catch (error) {
		if (error instanceof ApiError && error.status === 404) return false;
		throw error;
	}
}

/** Which image came of which inputs, in the user's cache. Losing it costs time only. */
class Memory {
	readonly #path: string | undefined;

	constructor({ environment }: CliContext, fingerprint: string) {
		const home = environment["HOME"];
		const caches = environment["XDG_CACHE_HOME"] || (home ? join(home, ".cache") : undefined);
		const name = createHash("sha256").update(fingerprint).digest("hex").slice(0, 32);
		this.#path = caches === undefined ? undefined : join(caches, "gantry/bootstrap", name);
	}

	read(): string | undefined {
		try {
			const text = this.#path === undefined ? "" : readFileSync(this.#path, "utf8").trim();
			return /^sha256:[0-9a-f]{64}$/.test(text) ? text : undefined;
		} catch {
			return undefined; // never made
		}
	}

	write(id: string): void {
		if (this.#path === undefined) return;
		try {
			mkdirSync(join(this.#path, ".."), { recursive: true });
			writeFileSync(this.#path, `${id}\n`);
		} catch {
			// A cache that cannot be written is none.
		}
	}
}

function sourceDateEpoch({ environment }: CliContext): number | undefined {
	const text = environment["SOURCE_DATE_EPOCH"] ?? "";
	if (text === "") return undefined;
	if (!/^\d{1,12}$/.test(text)) throw new Error(`SOURCE_DATE_EPOCH is no time: ${text}`);
	return Number(text);
}

/** Debian's and Go's names are the same for these. */
function goArchitecture(): string {
	return { x64: "amd64", arm64: "arm64" }[process.arch as string] ?? process.arch;
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
	yield bytes;
}
