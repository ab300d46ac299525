import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoCode, errorMessage } from "../../base/errors.ts";
import type { DockerfileSource } from "../../core/build/request.ts";
import type { ClientContext, ClientNamedContext } from "../../core/build/session/build-call.ts";
import type { OfferedDirectory } from "./context-answers.ts";
import { contextArgument, isArchive, namedContextArgument, PROBE_BYTES } from "./context-source.ts";
import type { DockerfileText } from "./failure-text.ts";

/** The files of a build: what the request says of them, and what the client answers with. */
export interface BuildSources {
	readonly dockerfile: DockerfileSource;
	readonly context: ClientContext | null;
	readonly namedContexts: Readonly<Record<string, ClientNamedContext>>;
	readonly directories: ReadonlyMap<string, OfferedDirectory>;
	readonly archives: ReadonlyMap<string, AsyncIterable<Uint8Array>>;
	/** The Dockerfile's text, where the client has it. */
	readonly text: DockerfileText | undefined;
	/** The context's directory, where it is one of the client's. */
	readonly root: string | undefined;
}

const CONTEXT_NAME = "context";
const IGNORE_FILE = ".dockerignore";
const MAX_DOCKERFILE_BYTES = 2 * 1024 * 1024;
const REASONS: Readonly<Record<string, string>> = {
	EISDIR: "is a directory",
	EACCES: "permission denied",
	ENOTDIR: "not a directory",
	ELOOP: "too many levels of symbolic links",
};

export interface SourceArguments {
	/** The positional argument. */
	readonly context: string;
	/** `-f`; empty: not given. */
	readonly file: string;
	/** `--build-context`s. */
	readonly named: readonly string[];
	readonly stdin: () => AsyncIterable<Uint8Array>;
}

/** @throws Error for what is not there or can't be read */
export async function openSources({ context, file, named, stdin }: SourceArguments): Promise<BuildSources> {
	const directories = new Map<string, OfferedDirectory>();
	const archives = new Map<string, AsyncIterable<Uint8Array>>();
	const namedContexts: Record<string, ClientNamedContext> = {};
	for (const text of named) {
		const { name, source } = namedContextArgument(text);
		if (source.kind === "stdin") throw new Error("a named context cannot come from standard input");
		const offer = (path: string) => offerDirectory(name, path, directories, {});
		if (source.kind === "directory") namedContexts[name] = await offer(source.path);
		else if (source.kind === "layout")
			namedContexts[name] = { kind: "layout", context: await offer(source.path), image: source.image };
		else namedContexts[name] = source;
	}
	const rest = { namedContexts, directories, archives };
	const argument = contextArgument(context);
	if (argument.kind === "stdin") {
		if (file === "-") throw new Error("invalid argument: can't use stdin for both build context and dockerfile");
		return { ...rest, ...(await fromStdin(file, stdin(), archives)) };
	}
	if (argument.kind !== "directory") {
		const dockerfile: DockerfileSource =
			file === "-" ? await stdinDockerfile(stdin()) : { kind: "context", path: file === "" ? "Dockerfile" : file };
		const text = dockerfile.kind === "text" ? dockerfile : undefined;
		return { ...rest, dockerfile, context: argument, text, root: undefined };
	}
	const dockerfile =
		file === "-" ? { source: await stdinDockerfile(stdin()), path: "" } : await readDockerfile(argument.path, file);
	const files = await ignoreFiles(argument.path, dockerfile.path, dockerfile.source.name);
	const offered = await offerDirectory(CONTEXT_NAME, argument.path, directories, files);
	return {
		...rest,
		dockerfile: dockerfile.source,
		context: offered,
		text: dockerfile.source,
		root: directories.get(CONTEXT_NAME)?.root,
	};
}

type TextSource = Extract<DockerfileSource, { kind: "text" }>;

async function stdinDockerfile(stdin: AsyncIterable<Uint8Array>): Promise<TextSource> {
	const parts: Uint8Array[] = [];
	for await (const bytes of stdin) parts.push(bytes);
	return { kind: "text", text: Buffer.concat(parts).toString(), name: "Dockerfile" };
}

/** An archive, or the Dockerfile of a build without files. */
async function fromStdin(
	file: string,
	stdin: AsyncIterable<Uint8Array>,
	archives: Map<string, AsyncIterable<Uint8Array>>,
): Promise<Pick<BuildSources, "dockerfile" | "context" | "text" | "root">> {
	const iterator = stdin[Symbol.asyncIterator]();
	let head: Buffer = Buffer.alloc(0);
	let isOver = false;
	while (head.length < PROBE_BYTES && !isOver) {
		const { done, value } = await iterator.next();
		isOver = done === true;
		if (!isOver) head = Buffer.concat([head, value]);
	}
	const all = (async function* () {
		yield head;
		for (;;) {
			const { done, value } = await iterator.next();
			if (done === true) return;
			yield value;
		}
	})();
	if (isArchive(head)) {
		archives.set(CONTEXT_NAME, all);
		return {
			dockerfile: { kind: "context", path: file === "" ? "Dockerfile" : file },
			context: { kind: "tar", name: CONTEXT_NAME },
			text: undefined,
			root: undefined,
		};
	}
	if (file !== "") throw new Error("ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles");
	const dockerfile = await stdinDockerfile(all);
	return { dockerfile, context: null, text: dockerfile, root: undefined };
}

/** `-f` counts from where the command runs; without it the context's `Dockerfile`, or `dockerfile`. */
async function readDockerfile(context: string, file: string): Promise<{ source: TextSource; path: string }> {
	const candidates = file === "" ? ["Dockerfile", "dockerfile"].map((name) => join(context, name)) : [file];
	for (const path of candidates) {
		try {
			const { size } = await stat(path);
			if (size > MAX_DOCKERFILE_BYTES) throw new Error(`failed to read dockerfile: ${path} is too large`);
			return { source: { kind: "text", text: await readFile(path, "utf8"), name: basename(path) }, path };
		} catch (error) {
			const code = errnoCode(error);
			if (code === undefined) throw error;
			const reason = REASONS[code] ?? code;
			if (code !== "ENOENT") throw new Error(`failed to read dockerfile: open ${path}: ${reason}`, { cause: error });
		}
	}
	await checkDirectory(context);
	throw new Error(`failed to read dockerfile: open ${file === "" ? "Dockerfile" : file}: no such file or directory`);
}

/** What the builder will ask for: `<Dockerfile>.dockerignore` beside the Dockerfile wins over the context's `.dockerignore`. */
async function ignoreFiles(
	context: string,
	dockerfilePath: string,
	dockerfileName: string,
): Promise<Record<string, string | null>> {
	return {
		[`${dockerfileName}.dockerignore`]:
			dockerfilePath === "" ? null : await readIfExists(`${dockerfilePath}.dockerignore`),
		[IGNORE_FILE]: await readIfExists(join(context, IGNORE_FILE)),
	};
}

async function readIfExists(path: string): Promise<string | null> {
	try {
		return await readFile(path, "utf8");
	} catch (error) {
		if (errnoCode(error) === "ENOENT" || errnoCode(error) === "ENOTDIR") return null;
		throw new Error(`failed to read ${path}: ${errnoCode(error) ?? errorMessage(error)}`, { cause: error });
	}
}

export async function offerDirectory(
	name: string,
	path: string,
	directories: Map<string, OfferedDirectory>,
	files: Readonly<Record<string, string | null>>,
): Promise<ClientContext> {
	await checkDirectory(path);
	const root = await realpath(path);
	directories.set(name, { root });
	const what = name === CONTEXT_NAME ? "context" : name;
	return { kind: "directory", name, key: directoryKey(root, name), description: `local source for ${what}`, files };
}

/** @throws Error when it is none */
async function checkDirectory(path: string): Promise<void> {
	const status = await stat(path).catch((cause: unknown) => {
		if (errnoCode(cause) === "ENOENT") throw new Error(`path ${JSON.stringify(path)} not found`, { cause });
		throw new Error(`unable to prepare context: ${errorMessage(cause)}`, { cause });
	});
	if (!status.isDirectory())
		throw new Error(`unable to prepare context: context must be a directory: ${join(dirname(path), basename(path))}`);
}

/** Stands for a directory of this user on this machine, without telling its name. */
function directoryKey(root: string, name: string): string {
	const hash = createHash("sha256");
	for (const part of [machineId(), String(process.getuid?.() ?? 0), root, name])
		hash.update(`${part.length} ${part}\n`);
	return hash.digest("hex");
}

function machineId(): string {
	try {
		return readFileSync("/etc/machine-id", "latin1").trim();
	} catch {
		// Containers and small systems have none; the directory's name still tells most contexts apart.
		return process.env["HOSTNAME"] ?? "";
	}
}
