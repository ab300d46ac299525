import { type Digest, sha256 } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { AgentSockets } from "../../core/build/agent-sockets.ts";
import type { BuildDirectories, BuildFiles } from "../../core/build/build-directories.ts";
import type { FileSource, ResolvedMount, StepAction } from "../../core/build/plan/build-plan.ts";
import { absolutePath } from "../../core/build/plan/image-config.ts";
import type { ContainerMount } from "../../core/container/container-record.ts";
import type { BuildCache } from "./build-cache.ts";
import type { BuildScope, CommandTarget } from "./build-scope.ts";

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
const CACHE_MODE = 0o755;
const SECRET_MODE = 0o400;
const AGENT_MODE = 0o600;

/** `RUN --mount`: where the files come from, and their places in the step. */
export class StepMounts {
	readonly #deps: StepMountsDependencies;
	/** Cache mounts that are `locked`, and those that are `private`. */
	readonly #locks = new KeyedMutex();
	readonly #privateInUse = new Set<string>();

	constructor(deps: StepMountsDependencies) {
		this.#deps = deps;
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
		for (const { mount, source } of action.mounts) {
			const place = absolutePath(action.workingDirectory, mount.target ?? "");
			switch (mount.type) {
				case "bind":
					mounts.push(await this.#bind(mount, source, place, scope, stack, signal));
					break;
				case "cache":
					mounts.push(bindTo(await this.#cache(mount, source, place, scope, stack, signal), place, mount.readOnly));
					break;
				case "tmpfs":
					mounts.push(tmpfsAt(place, mount.sizeBytes));
					break;
				case "secret": {
					const secret = await this.#secret(mount, scope, stack);
					if (secret === undefined) break;
					if (secret.variable !== undefined) environment.push(secret.variable);
					if (secret.path !== undefined)
						mounts.push(bindTo(secret.path, mount.target === undefined ? `/run/secrets/${secret.id}` : place, true));
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
		// What the OCI runtime makes to mount on is no change of the step's.
		const stubs = this.#deps.files.missing(
			target.rootPath,
			mounts.map((mount) => mount.target),
		);
		stack.defer(() => this.#deps.files.removeStubs(target.rootPath, stubs));
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
		await files.copy(selection, { root: copy }, "/tree", { owner: undefined, chmod: undefined, unpack: false });
		return bindTo(`${copy}/tree`, place, false);
	}

	async #cache(
		mount: ResolvedMount["mount"],
		source: FileSource | undefined,
		place: string,
		scope: BuildScope,
		stack: AsyncDisposableStack,
		signal: AbortSignal,
	): Promise<string> {
		const { cache, files } = this.#deps;
		const id = mount.id ?? place;
		const chain = source === undefined ? undefined : await chainOf(source, scope);
		const base = sha256(JSON.stringify(["cache-mount", id, chain ?? ""]));
		const key = mount.sharing === "private" ? this.#privateKey(base, stack) : base;
		if (mount.sharing === "locked") await this.#lock(key, stack);
		const lease = cache.lease();
		stack.use(lease);
		const record = cache.directory(key, "exec.cachemount", `cached mount ${place} from exec ${id}`, lease);
		const directory = `${record.path}/fs`;
		stack.defer(() => cache.measure(record.id));
		if (files.resolve(record.path, "fs") === undefined) {
			if (source !== undefined) {
				const tree = await this.#tree(source, scope, signal);
				const selection = { ...tree, sources: [mount.source ?? "."], exclude: [], parents: false };
				await files.copy(selection, { root: record.path }, "/fs", {
					owner: undefined,
					chmod: undefined,
					unpack: false,
				});
			} else {
				files.makeDirectory(record.path, "/fs", { uid: mount.uid ?? 0, gid: mount.gid ?? 0 });
				files.changeMode(record.path, "/fs", mount.mode ?? CACHE_MODE);
			}
		}
		return directory;
	}

	/** The first one that no other step has now. */
	#privateKey(base: Digest, stack: AsyncDisposableStack): Digest {
		for (let number = 0; ; number++) {
			const key = number === 0 ? base : sha256(`${base} ${number}`);
			if (this.#privateInUse.has(key)) continue;
			this.#privateInUse.add(key);
			stack.defer(() => void this.#privateInUse.delete(key));
			return key;
		}
	}

	async #lock(key: Digest, stack: AsyncDisposableStack): Promise<void> {
		const { promise: held, resolve: release } = Promise.withResolvers<void>();
		const { promise: acquired, resolve: taken } = Promise.withResolvers<void>();
		void this.#locks.run(key, async () => {
			taken();
			await held;
		});
		stack.defer(release);
		await acquired;
	}

	async #secret(
		mount: ResolvedMount["mount"],
		scope: BuildScope,
		stack: AsyncDisposableStack,
	): Promise<{ id: string; path: string | undefined; variable: string | undefined } | undefined> {
		const id = mount.id ?? mount.target?.split("/").at(-1) ?? "";
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
	if (source.kind === "stage") return await scope.chainOf(source.index);
	return source.kind === "image" ? source.image.chainId : undefined;
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
