import type { Digest } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { AgentSockets } from "../../core/build/agent-sockets.ts";
import type { BuildDirectories, BuildFiles } from "../../core/build/build-directories.ts";
import { builderArguments } from "../../core/build/builder-arguments.ts";
import type { FileSource, ResolvedMount, StepAction } from "../../core/build/plan/build-plan.ts";
import { absolutePath } from "../../core/build/plan/image-config.ts";
import type { ContainerMount } from "../../core/container/container-record.ts";
import { secretId } from "../../core/dockerfile/outline.ts";
import type { BuildCache } from "./build-cache.ts";
import type { BuildScope, CommandTarget } from "./build-scope.ts";
import { type CacheMount, CacheMounts } from "./cache-mounts.ts";

type RunAction = Extract<StepAction, { readonly kind: "run" }>;

export interface PreparedMounts extends AsyncDisposable {
	readonly mounts: readonly ContainerMount[];
	/** Variables that secrets and agents add. */
	readonly environment: readonly string[];
}

export interface StepMountsDependencies {
	readonly cache: BuildCache;
	readonly files: BuildFiles;
	readonly directories: BuildDirectories;
	readonly agentSockets: AgentSockets;
}

const SECRET_LIMIT_BYTES = 512 << 10;
const SECRET_MODE = 0o400;
const AGENT_MODE = 0o600;

/** `RUN --mount`: where the files come from, and their places in the step. */
export class StepMounts {
	readonly #deps: StepMountsDependencies;
	readonly #caches: CacheMounts;

	constructor(deps: StepMountsDependencies) {
		this.#deps = deps;
		this.#caches = new CacheMounts(deps);
	}

	async definition(mounts: readonly ResolvedMount[], scope: BuildScope): Promise<readonly string[] | undefined> {
		const definitions: string[] = [];
		for (const { mount, source } of mounts) {
			if (mount.type !== "bind" || source === undefined) continue;
			if (source.kind === "context") return undefined;
			definitions.push(`layers ${(await chainOf(source, scope)) ?? ""}`);
		}
		return definitions;
	}

	async contents(mounts: readonly ResolvedMount[], scope: BuildScope, signal: AbortSignal): Promise<readonly string[]> {
		const digests: string[] = [];
		for (const { mount, source } of mounts) {
			if (mount.type !== "bind" || source === undefined) continue;
			const tree = await this.#tree(source, scope, signal);
			const selection = { ...tree, sources: [mount.source ?? "."], exclude: [], parents: false };
			digests.push(await this.#deps.files.digest(selection));
		}
		return digests;
	}

	/** Makes every source available. What it takes is given back with the result. */
	async prepare(
		action: RunAction,
		target: CommandTarget,
		scope: BuildScope,
		signal: AbortSignal,
	): Promise<PreparedMounts> {
		await using stack = new AsyncDisposableStack();
		const mounts: ContainerMount[] = [];
		const environment: string[] = [];
		let agents = 0;
		const caches = await this.#openCaches(action, scope, stack, signal);
		for (const [index, { mount, source }] of action.mounts.entries()) {
			const place = absolutePath(action.workingDirectory, mount.target ?? "");
			switch (mount.type) {
				case "bind":
					mounts.push(await this.#bind(mount, source, place, scope, stack, signal));
					break;
				case "cache":
					mounts.push(bindTo(caches.get(index) ?? "", place, mount.readOnly));
					break;
				case "tmpfs":
					mounts.push(tmpfsAt(place, mount.sizeBytes));
					break;
				case "secret": {
					const secret = await this.#secret(mount, scope, stack);
					if (secret === undefined) break;
					if (secret.variable !== undefined) environment.push(secret.variable);
					if (secret.path !== undefined)
						mounts.push(
							bindTo(secret.path, mount.target === undefined ? `/run/secrets/${lastName(secret.id)}` : place, true),
						);
					break;
				}
				case "ssh": {
					const at = mount.target === undefined ? `/run/buildkit/ssh_agent.${agents}` : place;
					const socket = await this.#agent(mount, scope, stack);
					if (socket === undefined) break;
					agents++;
					mounts.push(bindTo(socket, at, false));
					environment.push(`SSH_AUTH_SOCK=${at}`);
					break;
				}
			}
		}
		if (action.script !== undefined) {
			const directory = stack.adopt(this.#deps.directories.temporary(), (path) =>
				this.#deps.directories.removeTemporary(path),
			);
			const { name, text } = action.script;
			this.#deps.files.writeFile(directory, name, Buffer.from(text), {
				permissions: 0o755,
				owner: { uid: 0, gid: 0 },
			});
			mounts.push(bindTo(directory, "/dev/pipes", true));
		}
		// What there has to be to mount on is no change of the step's.
		stack.use(this.#deps.files.mountStubs(target.rootPath, mounts));
		const owned = stack.move();
		return { mounts, environment, [Symbol.asyncDispose]: () => owned.disposeAsync() };
	}

	async #bind(
		mount: ResolvedMount["mount"],
		source: FileSource | undefined,
		place: string,
		scope: BuildScope,
		stack: AsyncDisposableStack,
		signal: AbortSignal,
	): Promise<ContainerMount> {
		const tree = await this.#tree(source ?? { kind: "scratch" }, scope, signal);
		const { directories, files } = this.#deps;
		const path = files.resolve(tree.root, mount.source ?? ".");
		if (path === undefined) throw new InvalidParameterError(`"/${mount.source ?? ""}": not found`);
		if (mount.readOnly) return bindTo(path, place, true);
		// Writes go to a copy, which nobody keeps.
		const copy = directories.temporary();
		stack.defer(() => directories.removeTemporary(copy));
		const selection = { ...tree, sources: [mount.source ?? "."], exclude: [], parents: false };
		await files.copy(selection, { root: copy }, "/tree", { owner: undefined, chmod: undefined, unpack: undefined });
		return bindTo(`${copy}/tree`, place, false);
	}

	/** The step's cache mounts, by their places in the list of its mounts. */
	async #openCaches(
		action: RunAction,
		scope: BuildScope,
		stack: AsyncDisposableStack,
		signal: AbortSignal,
	): Promise<ReadonlyMap<number, string>> {
		const wanted = new Map<number, CacheMount>();
		const { cacheNamespace } = builderArguments(scope.request.buildArgs);
		for (const [index, { mount, source }] of action.mounts.entries()) {
			if (mount.type !== "cache") continue;
			const place = absolutePath(action.workingDirectory, mount.target ?? "");
			const chain = source === undefined ? undefined : await chainOf(source, scope);
			const tree = source === undefined ? undefined : () => this.#tree(source, scope, signal);
			const id = mount.id ?? place;
			const own = cacheNamespace === "" ? mount : { ...mount, id: `${cacheNamespace}/${id}` };
			wanted.set(index, { mount: own, place, chain, tree });
		}
		const opened = await this.#caches.open([...wanted.values()], stack, signal);
		return new Map([...wanted.keys()].map((index, count) => [index, opened[count] ?? ""]));
	}

	async #secret(
		mount: ResolvedMount["mount"],
		scope: BuildScope,
		stack: AsyncDisposableStack,
	): Promise<{ id: string; path: string | undefined; variable: string | undefined } | undefined> {
		const id = secretId(mount);
		if (id === "") throw new InvalidParameterError("a secret mount needs an id or a target");
		const data = await scope.request.session.secret(id);
		if (data === undefined) {
			if (mount.required) throw new InvalidParameterError(`secret ${id}: not found`);
			return undefined;
		}
		if (data.length > SECRET_LIMIT_BYTES)
			throw new InvalidParameterError(`secret ${id} is larger than ${SECRET_LIMIT_BYTES} bytes`);
		const variable = mount.env === undefined ? undefined : `${mount.env}=${Buffer.from(data).toString("utf8")}`;
		if (variable !== undefined && mount.target === undefined) return { id, path: undefined, variable };
		const directory = this.#deps.directories.memory();
		stack.defer(() => this.#deps.directories.removeMemory(directory));
		const owner = { uid: mount.uid ?? 0, gid: mount.gid ?? 0 };
		this.#deps.files.writeFile(directory, "secret", data, { permissions: mount.mode ?? SECRET_MODE, owner });
		return { id, path: `${directory}/secret`, variable };
	}

	async #agent(
		mount: ResolvedMount["mount"],
		{ request }: BuildScope,
		stack: AsyncDisposableStack,
	): Promise<string | undefined> {
		const id = mount.id ?? "default";
		if (!(await request.session.hasSsh(id))) {
			if (mount.required) throw new InvalidParameterError(`no SSH key "${id}" forwarded from the client`);
			return undefined;
		}
		const directory = this.#deps.directories.temporary();
		stack.defer(() => this.#deps.directories.removeTemporary(directory));
		const path = `${directory}/agent`;
		const listening = await this.#deps.agentSockets.listen(path, {
			owner: { uid: mount.uid ?? 0, gid: mount.gid ?? 0 },
			permissions: mount.mode ?? AGENT_MODE,
			connect: () => request.session.openSsh(id),
		});
		stack.use(listening);
		return path;
	}

	async #tree(
		source: FileSource,
		scope: BuildScope,
		signal: AbortSignal,
	): Promise<{
		root: string;
		ignore: readonly string[];
		knownDigest?: ((path: string) => Digest | undefined) | undefined;
	}> {
		if (source.kind !== "context") return { root: await scope.views.path(await chainOf(source, scope)), ignore: [] };
		const tree = await scope.contexts.tree(source.name ?? "", signal);
		return { root: tree.directory, ignore: tree.ignore, knownDigest: tree.digestOf };
	}
}

async function chainOf(source: FileSource, scope: BuildScope): Promise<Digest | undefined> {
	if (source.kind === "stage") return await scope.chainOf(source.id);
	return source.kind === "image" ? source.image.chainId : undefined;
}

function lastName(path: string): string {
	return path.split("/").at(-1) ?? "";
}

function bindTo(source: string, target: string, readOnly: boolean): ContainerMount {
	return {
		type: "bind",
		source,
		target,
		readOnly,
		createSource: false,
		recursive: false,
		readOnlyRecursive: "if-possible",
		propagation: "rprivate",
		mode: "",
		origin: "mounts",
	};
}

function tmpfsAt(target: string, sizeBytes: number | undefined): ContainerMount {
	const options = sizeBytes === undefined ? [] : [`size=${sizeBytes}`];
	return { ...bindTo("", target, false), type: "tmpfs", propagation: "", tmpfs: { options } };
}
