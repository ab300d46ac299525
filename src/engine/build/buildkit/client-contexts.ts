import type { Readable } from "node:stream";
import { SESSION_METHODS } from "../../../api/buildkit/session.ts";
import { InvalidParameterError, NotImplementedError } from "../../../base/errors.ts";
import type { ContextOrigin, FrontendRequest, NamedOrigin } from "../../../core/build/buildkit/frontend-options.ts";
import type { SessionCaller } from "../../../core/build/buildkit/session-caller.ts";
import type { SourceText } from "../../../core/build/buildkit/solve-status.ts";
import type { BuildContext, ContextSelection, SyncedContext } from "../../../core/build/context.ts";
import type { NamedContext } from "../../../core/build/request.ts";
import type { WholeContexts } from "../build-sessions.ts";
import { type ContextKeeping, DirectoryContext } from "../kept-context.ts";
import { bytesOf } from "./client-answers.ts";
import { ClientFiles } from "./client-files.ts";
import { ClientContentStore } from "./content-store.ts";
import { LayoutContext, type LayoutContextDependencies } from "./layout-context.ts";

const DOCKERFILE_LIMIT_BYTES = 16 << 20;

export interface ClientContextsDependencies extends ContextKeeping, LayoutContextDependencies {
	readonly wholeContexts: WholeContexts;
}

export interface ContextScope {
	readonly session: SessionCaller;
	/** What contexts have on the disk goes with it. */
	readonly owned: AsyncDisposableStack;
	readonly keepGitDir: boolean;
	readonly signal: AbortSignal;
	/** An upload that is here already. */
	readonly archive: Readable | undefined;
	/** An image that stands for the result of another build, by its name among the inputs. */
	readonly inputImage: (name: string) => Promise<string>;
}

/** Contexts as a BuildKit client's request names them. */
export class ClientContexts {
	constructor(private readonly deps: ClientContextsDependencies) {}

	/** The build's own context, with the Dockerfile in it wherever that comes from. */
	async main(
		{ context: origin, dockerfileDirectory, filename }: FrontendRequest,
		scope: ContextScope,
		onDockerfile: (source: SourceText) => void,
	): Promise<BuildContext> {
		const context = await this.#open(origin, scope);
		const directory =
			dockerfileDirectory === undefined ? undefined : new ClientFiles(scope.session, dockerfileDirectory);
		return new ContextWithDockerfile(context, { directory, filename, onDockerfile });
	}

	async named(origin: NamedOrigin, scope: ContextScope): Promise<NamedContext> {
		switch (origin.kind) {
			case "image":
				return { kind: "image", reference: origin.reference };
			case "input":
				return { kind: "image", reference: await scope.inputImage(origin.name) };
			case "layout":
				return {
					kind: "layout",
					context: this.layout(scope.session, `oci:${origin.store}`, origin.image),
					image: origin.image,
				};
			case "local": {
				const { places, copies } = this.deps;
				const files = new ClientFiles(scope.session, origin.name, { isIgnoring: true });
				return { kind: "context", context: new DirectoryContext(files, { places, copies }) };
			}
			default:
				return { kind: "context", context: await this.#open(origin, scope) };
		}
	}

	/** An image, or an index of some, in a store of the client's. */
	layout(session: SessionCaller, store: string, digest: string): BuildContext {
		return new LayoutContext(new ClientContentStore(session, store), digest, this.deps);
	}

	async #open(origin: ContextOrigin, scope: ContextScope): Promise<BuildContext> {
		const { session, owned, keepGitDir, signal } = scope;
		const { wholeContexts, places, copies } = this.deps;
		switch (origin.kind) {
			case "local":
				return new DirectoryContext(new ClientFiles(session, origin.name), { places, copies });
			case "upload": {
				const archive = scope.archive ?? uploadOf(session, origin.id);
				return owned.use(await wholeContexts.fromArchive(archive, `upload ${session.sharedKey}`, signal)).context;
			}
			case "remote":
				return owned.use(await wholeContexts.fromUrl(origin.url, { keepGitDir }, signal)).context;
			case "input":
				throw new NotImplementedError("the result of another build as the main context is not supported");
		}
	}
}

function uploadOf(session: SessionCaller, id: string): AsyncIterable<Uint8Array> {
	const call = session.call(SESSION_METHODS.upload, { urlpath: `/${id}`, urlhost: "buildkit-session" });
	call.end();
	return bytesOf(call);
}

interface DockerfilePlace {
	/** Undefined: in the context. */
	readonly directory: ClientFiles | undefined;
	readonly filename: string;
	/** Hears the text: clients show its lines. */
	readonly onDockerfile: (source: SourceText) => void;
}

/** A context whose Dockerfile, and the ignore file beside it, may lie elsewhere. */
class ContextWithDockerfile implements BuildContext {
	#beside: Promise<ReadonlyMap<string, Uint8Array>> | undefined;

	constructor(
		private readonly context: BuildContext,
		private readonly dockerfile: DockerfilePlace,
	) {}

	get key(): string {
		return this.context.key;
	}

	async readFile(path: string, limitBytes: number): Promise<Uint8Array | undefined> {
		const { filename, onDockerfile } = this.dockerfile;
		if (path !== filename && path !== `${filename}.dockerignore`) return await this.context.readFile(path, limitBytes);
		const found = (await this.#read(path, limitBytes)) ?? (await this.#lowerCase(path, limitBytes));
		if (path === filename && found !== undefined) onDockerfile({ filename, data: found });
		return found;
	}

	sync(
		selection: ContextSelection,
		signal: AbortSignal,
		onProgress?: (transferredBytes: number) => void,
	): Promise<SyncedContext> {
		return this.context.sync(selection, signal, onProgress);
	}

	async #read(path: string, limitBytes: number): Promise<Uint8Array | undefined> {
		const { directory, filename } = this.dockerfile;
		if (directory === undefined) return await this.context.readFile(path, limitBytes);
		this.#beside ??= directory.readFiles(
			[filename, `${filename}.dockerignore`, filename.replace(/(^|\/)Dockerfile$/, "$1dockerfile")],
			DOCKERFILE_LIMIT_BYTES,
		);
		const bytes = (await this.#beside).get(path);
		if (bytes !== undefined && bytes.length > limitBytes)
			throw new InvalidParameterError(`${path} is larger than ${limitBytes} bytes`);
		return bytes;
	}

	/** `dockerfile` is found, too. */
	async #lowerCase(path: string, limitBytes: number): Promise<Uint8Array | undefined> {
		const other = path.replace(/(^|\/)Dockerfile$/, "$1dockerfile");
		return other === path ? undefined : await this.#read(other, limitBytes);
	}
}
