import type { Digest } from "../../base/digest.ts";
import type { BuildFiles, CopyOptions, CopyTarget, FileSelection } from "../../core/build/build-directories.ts";
import type { StepAction } from "../../core/build/plan/build-plan.ts";
import type { ContainerHostFiles } from "../../core/container/host-files.ts";
import { resolveUser } from "../../core/container/user.ts";
import { absoluteMode, parseModeChange } from "../../core/dockerfile/mode-change.ts";
import { isRemoteSource } from "../../core/dockerfile/remote-source.ts";
import { heredocText } from "../../core/dockerfile/syntax.ts";
import type { BuildScope } from "./build-scope.ts";

type CopyAction = Extract<StepAction, { readonly kind: "copy" }>;
type DirectoryAction = Extract<StepAction, { readonly kind: "directory" }>;

export interface Owner {
	readonly uid: number;
	readonly gid: number;
}

export interface StepCopiesDependencies {
	readonly files: BuildFiles;
	readonly hostFiles: Pick<ContainerHostFiles, "readAccounts">;
}

const ROOT: Owner = { uid: 0, gid: 0 };
/** Selections of contexts whose digests are remembered. */
const REMEMBERED = 200;
const NOTHING: readonly string[] = [];

/** COPY, ADD and WORKDIR: what they read, and doing it. */
export class StepCopies {
	readonly #deps: StepCopiesDependencies;
	/** What was found out about selections of contexts that have not changed since; those asked for last are at the end. */
	readonly #remembered = new Map<string, Digest>();

	constructor(deps: StepCopiesDependencies) {
		this.#deps = deps;
	}

	/** Who the files belong to; undefined: to whom they belong in the source. Names are looked up in the stage. */
	async owner(action: CopyAction, chain: Digest | undefined, scope: BuildScope): Promise<Owner | undefined> {
		const { chown, source } = action;
		if (chown === undefined) return source.kind === "context" ? ROOT : undefined;
		return numericOwner(chown) ?? this.#ownerIn(await scope.views.path(chain), chown);
	}

	/** What the sources are, where that needs no reading. */
	async definition(action: CopyAction, scope: BuildScope, signal: AbortSignal): Promise<readonly string[] | undefined> {
		const { source } = action;
		const remote = remotePaths(action);
		if (remote.length > 0) return await this.#remoteDefinition(action, remote, scope, signal);
		if (action.paths.length === 0 && source.kind === "context") return ["heredocs"];
		if (source.kind === "stage") return [`layers ${(await scope.chainOf(source.id)) ?? ""}`];
		if (source.kind === "image") return [`layers ${source.image.chainId ?? ""}`];
		return source.kind === "scratch" ? ["layers "] : undefined;
	}

	/** Digest of what is read. @throws NotFoundError naming a source that is not there */
	async contents(action: CopyAction, scope: BuildScope, signal: AbortSignal): Promise<string> {
		const digests: string[] = [];
		if (localPaths(action).length > 0) digests.push(await this.#localContents(action, scope, signal));
		for (const path of remotePaths(action)) {
			const { root, source } = await scope.remotes.fetch(path, action.checksum, action.keepGitDir, signal);
			const selection = { root, sources: [source], ignore: NOTHING, exclude: action.exclude, parents: false };
			digests.push(`contents ${await this.#deps.files.digest(selection)}`);
		}
		return digests.length === 0 ? "heredocs" : digests.join(" ");
	}

	async #localContents(action: CopyAction, scope: BuildScope, signal: AbortSignal): Promise<string> {
		const selection = await this.#selection(action, scope, signal);
		const { revision } = selection;
		if (revision === undefined) return `contents ${await this.#deps.files.digest(selection)}`;
		const { sources, ignore, exclude, parents } = selection;
		const key = JSON.stringify([revision, sources, ignore, exclude, parents]);
		const digest = this.#remembered.get(key) ?? (await this.#deps.files.digest(selection));
		this.#remembered.delete(key);
		this.#remembered.set(key, digest);
		for (const oldest of this.#remembered.keys()) {
			if (this.#remembered.size <= REMEMBERED) break;
			this.#remembered.delete(oldest);
		}
		return `contents ${digest}`;
	}

	/** @throws NotFoundError, InvalidParameterError */
	async copy(
		action: CopyAction,
		target: CopyTarget,
		chain: Digest | undefined,
		scope: BuildScope,
		signal: AbortSignal,
	): Promise<void> {
		const owner = await this.owner(action, chain, scope);
		const chmod = action.chmod === undefined ? undefined : parseModeChange(action.chmod);
		const mode = action.chmod === undefined ? undefined : absoluteMode(action.chmod);
		// As BuildKit makes them: without set-ID and sticky bits.
		const madePermissions = mode === undefined ? undefined : mode & 0o777;
		for (const path of remotePaths(action))
			await this.#copyRemote(path, action, target, { owner, chmod, madePermissions }, scope, signal);
		if (localPaths(action).length > 0) {
			const selection = await this.#selection(action, scope, signal);
			const isUnpacked = action.unpack ?? (action.isAdd && action.source.kind === "context");
			const unpack = isUnpacked ? archiveOwner(action, owner) : undefined;
			await this.#deps.files.copy(selection, target, action.destination, { owner, chmod, madePermissions, unpack });
		}
		for (const heredoc of action.heredocs) {
			const permissions = chmod?.(0o644, false) ?? 0o644;
			const data = Buffer.from(heredocText(heredoc));
			const options = { permissions, owner: owner ?? ROOT, madePermissions, name: heredoc.name };
			this.#deps.files.writeFile(target.root, action.destination, data, options);
		}
	}

	/** WORKDIR. */
	makeDirectory({ path, user }: DirectoryAction, rootPath: string): void {
		const owner = user === "" ? undefined : (numericOwner(user) ?? this.#ownerIn(rootPath, user));
		this.#deps.files.makeDirectory(rootPath, path, owner);
	}

	#ownerIn(rootPath: string, name: string): Owner {
		// Also in an image without users.
		if (name === "root" || name === "root:root") return ROOT;
		const { uid, gid } = resolveUser(name, this.#deps.hostFiles.readAccounts(rootPath));
		return { uid, gid };
	}

	async #remoteDefinition(
		action: CopyAction,
		remote: readonly string[],
		scope: BuildScope,
		signal: AbortSignal,
	): Promise<readonly string[] | undefined> {
		if (localPaths(action).length > 0) return undefined;
		const definitions: string[] = [];
		for (const path of remote) {
			const definition = await scope.remotes.definition(path, action.checksum, action.keepGitDir, signal);
			if (definition === undefined) return undefined;
			definitions.push(definition);
		}
		return definitions;
	}

	/** A repository is a directory; a file is unpacked only when that is asked for. */
	async #copyRemote(
		path: string,
		action: CopyAction,
		target: CopyTarget,
		how: Pick<CopyOptions, "owner" | "chmod" | "madePermissions">,
		scope: BuildScope,
		signal: AbortSignal,
	): Promise<void> {
		const { root, source } = await scope.remotes.fetch(path, action.checksum, action.keepGitDir, signal);
		const selection = { root, sources: [source], ignore: NOTHING, exclude: action.exclude, parents: false };
		const unpack = action.unpack === true ? archiveOwner(action, how.owner) : undefined;
		await this.#deps.files.copy(selection, { root: target.root }, action.destination, { ...how, unpack });
	}

	async #selection(
		action: CopyAction,
		scope: BuildScope,
		signal: AbortSignal,
	): Promise<FileSelection & { readonly revision?: string | undefined }> {
		const { source, parents, exclude } = action;
		const common = { sources: localPaths(action), parents, exclude };
		switch (source.kind) {
			case "context": {
				const tree = await scope.contexts.tree(source.name ?? "", signal);
				const { directory: root, ignore, digestOf: knownDigest, isImmutable: mayLink, revision } = tree;
				return { ...common, root, ignore, knownDigest, mayLink, revision };
			}
			case "stage":
				return { ...common, root: await scope.views.path(await scope.chainOf(source.id)), ignore: NOTHING };
			case "image":
				return { ...common, root: await scope.views.path(source.image.chainId), ignore: NOTHING };
			case "scratch":
				return { ...common, root: await scope.views.path(undefined), ignore: NOTHING };
		}
	}
}

/** A user's number is the group's, too, where no group is named. */
function numericOwner(text: string): Owner | undefined {
	const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(text) ?? [];
	return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid ?? uid) };
}

/** What is in an archive belongs to whom the archive says, unless the instruction says otherwise. */
function archiveOwner({ chown }: CopyAction, owner: Owner | undefined): { readonly owner: Owner | undefined } {
	return { owner: chown === undefined ? undefined : owner };
}

/** URLs and repositories. */
function remotePaths({ isAdd, paths }: CopyAction): readonly string[] {
	return isAdd ? paths.filter(isRemoteSource) : [];
}

function localPaths({ isAdd, paths }: CopyAction): readonly string[] {
	return isAdd ? paths.filter((path) => !isRemoteSource(path)) : paths;
}
