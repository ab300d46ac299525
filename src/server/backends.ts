/**
 * What the Engine API's routes need of the engine, split by noun and declared here on the consumer's side. The engine's
 * services have these methods; `daemon/wire.ts` puts them together. Names of containers are as the client wrote them (ID,
 * unique ID prefix or name). Every method throws the errors of `base/errors.ts`.
 */
import type { Readable } from "node:stream";
import type { WORKER_RECORD } from "../api/buildkit/control.ts";
import type { MessageOf } from "../api/buildkit/message.ts";
import type * as container from "../api/engine/container.ts";
import type { EventMessage } from "../api/engine/event.ts";
import type * as exec from "../api/engine/exec.ts";
import type { Filters } from "../api/engine/filters.ts";
import type { GcRequest, GcResponse } from "../api/engine/gc.ts";
import type * as image from "../api/engine/image.ts";
import type * as network from "../api/engine/network.ts";
import type * as registry from "../api/engine/registry.ts";
import type { BuildCacheRecord, InfoResponse, VersionResponse } from "../api/engine/system.ts";
import type { ApiVersion } from "../api/engine/version.ts";
import type * as volume from "../api/engine/volume.ts";
import type { Platform } from "../api/oci/image.ts";
import type { SessionCaller } from "../core/build/buildkit/session-caller.ts";
import type { ByteTransport } from "../core/build/session/connection.ts";
import type { AttachSession } from "../core/container/attach-session.ts";
import type { PathStat, WriteTreeOptions } from "../core/diff/archiver.ts";
import type { LogsOptions } from "../core/log/logs-options.ts";
import type { RegistryCredentials, RemoteManifest } from "../core/remotes/remote.ts";
import type { DiskUsage } from "../core/system/disk-usage.ts";
import type { RequestBuild, RequestMessage } from "../engine/build/buildkit/request-builds.ts";
import type { FrontendAnswer, FrontendCall, SolveCall } from "../engine/build/buildkit/solve-call.ts";
import type { ClassicMessage, ClassicOptions } from "../engine/build/classic-builds.ts";

export interface ContainerLifecycleBackend {
	create(
		request: container.ContainerCreateRequest,
		options: { readonly name: string; readonly platform: string; readonly version: ApiVersion },
	): Promise<container.ContainerCreateResponse>;
	/** @throws NotModifiedError when it runs already, TaskStartError when the process cannot be started */
	start(name: string): Promise<void>;
	stop(name: string, options: { readonly signal?: string; readonly timeoutSeconds?: number }): Promise<void>;
	restart(name: string, options: { readonly signal?: string; readonly timeoutSeconds?: number }): Promise<void>;
	kill(name: string, signal: string): Promise<void>;
	pause(name: string): Promise<void>;
	unpause(name: string): Promise<void>;
	rename(name: string, newName: string): Promise<void>;
	update(name: string, request: container.ContainerUpdateRequest): Promise<{ Warnings: string[] }>;
	resize(name: string, width: number, height: number): Promise<void>;
	remove(
		name: string,
		options: { readonly force: boolean; readonly volumes: boolean; readonly link: boolean },
	): Promise<void>;
	prune(filters: Filters): Promise<container.ContainerPruneResponse>;
	/**
	 * Registers the waiter before it resolves, so that an exit after this call is never missed; `result` settles when the
	 * condition holds.
	 */
	wait(
		name: string,
		condition: "not-running" | "next-exit" | "removed",
		signal: AbortSignal,
	): Promise<{ readonly result: Promise<container.ContainerWaitResponse> }>;
}

export interface ContainerStreamBackend {
	/**
	 * Before the container runs, too: the session then starts with its first output. `logs` replays the log first; without
	 * `stream` only the log is sent.
	 */
	attach(
		name: string,
		options: {
			readonly stdin: boolean;
			readonly stdout: boolean;
			readonly stderr: boolean;
			readonly stream: boolean;
			readonly logs: boolean;
			/** Undefined: the daemon's default, `ctrl-p,ctrl-q`. Only a terminal scans its input for them. */
			readonly detachKeys?: string;
		},
	): Promise<AttachSession>;
	/** @returns frames (or raw bytes for a terminal's container) */
	logs(
		name: string,
		options: LogsOptions,
		signal: AbortSignal,
	): Promise<{ readonly terminal: boolean; readonly stream: Readable }>;
	/** Yields one sample after another; `oneShot` skips the first (empty) previous sample. */
	stats(
		name: string,
		options: { readonly stream: boolean; readonly oneShot: boolean },
		signal: AbortSignal,
	): AsyncIterable<container.ContainerStats>;
	top(name: string, psArguments: string): Promise<container.ContainerTopResponse>;
}

export interface ContainerFilesBackend {
	stat(name: string, path: string): Promise<PathStat>;
	read(name: string, path: string): Promise<{ readonly stat: PathStat; readonly tar: Readable }>;
	write(
		name: string,
		path: string,
		tar: Readable,
		options: Pick<WriteTreeOptions, "noOverwriteDirNonDir" | "copyUidGid">,
	): Promise<void>;
	export(name: string): Promise<Readable>;
	changes(name: string): Promise<container.FilesystemChange[]>;
}

export interface ContainerViewBackend {
	list(options: {
		readonly all: boolean;
		readonly limit: number;
		readonly size: boolean;
		readonly filters: Filters;
		readonly version: ApiVersion;
	}): Promise<container.ContainerSummary[]>;
	inspect(
		name: string,
		options: { readonly size: boolean; readonly version: ApiVersion },
	): Promise<container.ContainerInspect>;
	/** Whether it has a terminal, for framing decisions made before a stream starts. */
	isTerminal(name: string): boolean;
}

export interface ExecBackend {
	create(containerName: string, request: exec.ExecCreateRequest): Promise<{ Id: string }>;
	/** Starts and returns the session, or undefined when detached. */
	start(id: string, request: exec.ExecStartRequest): Promise<AttachSession | undefined>;
	resize(id: string, width: number, height: number): Promise<void>;
	inspect(id: string): Promise<exec.ExecInspect>;
}

export interface ImageBackend {
	list(options: {
		readonly all: boolean;
		readonly sharedSize: boolean;
		readonly filters: Filters;
		readonly version: ApiVersion;
	}): Promise<image.ImageSummary[]>;
	inspect(
		name: string,
		options: { readonly version: ApiVersion; readonly platform: Platform | undefined },
	): Promise<image.ImageInspect>;
	history(name: string, platform: Platform | undefined): Promise<image.ImageHistoryEntry[]>;
	tag(name: string, repository: string, tag: string): Promise<void>;
	remove(
		name: string,
		options: { readonly force: boolean; readonly noPrune: boolean },
	): Promise<image.ImageDeleteResponse[]>;
	prune(filters: Filters): Promise<image.ImagePruneResponse>;
	/** `POST /images/create?fromSrc=`: messages end with the image's ID. `source` is the tar. */
	import(
		source: Readable,
		options: {
			readonly repository: string;
			readonly tag: string;
			readonly message: string;
			readonly changes: readonly string[];
			readonly platform: string;
		},
		signal: AbortSignal,
	): AsyncIterable<image.ProgressMessage>;
	/** `POST /images/create?fromImage=`. */
	pull(
		request: {
			readonly image: string;
			readonly tag: string;
			readonly platform: string;
			readonly credentials: RegistryCredentials | undefined;
		},
		signal: AbortSignal,
	): AsyncIterable<image.ProgressMessage>;
	/** `tag` empty: all tags. */
	push(
		request: {
			readonly image: string;
			readonly tag: string;
			readonly platform: Platform | undefined;
			readonly credentials: RegistryCredentials | undefined;
		},
		signal: AbortSignal,
	): AsyncIterable<image.ProgressMessage>;
	load(
		archive: Readable,
		options: { readonly quiet: boolean; readonly platform: Platform | undefined },
		signal: AbortSignal,
	): AsyncIterable<image.ProgressMessage>;
	/** A Docker archive that is an OCI layout too, as `docker save` since 25. */
	save(names: readonly string[], platform: Platform | undefined): Promise<Readable>;
	commit(options: {
		readonly container: string;
		readonly repository: string;
		readonly tag: string;
		readonly comment: string;
		readonly author: string;
		readonly pause: boolean;
		readonly changes: readonly string[];
		readonly config: container.ContainerConfig | undefined;
	}): Promise<{ Id: string }>;
}

export interface RegistryBackend {
	login(
		server: string,
		credentials: RegistryCredentials | undefined,
		signal: AbortSignal,
	): Promise<registry.AuthResponse>;
	search(
		request: {
			readonly term: string;
			readonly limit: number;
			readonly filters: Filters;
			readonly credentials: RegistryCredentials | undefined;
		},
		signal: AbortSignal,
	): Promise<registry.SearchResponse[]>;
	manifest(image: string, credentials: RegistryCredentials | undefined, signal: AbortSignal): Promise<RemoteManifest>;
	/** @returns the index's digest */
	pushIndex(
		image: string,
		index: { readonly mediaType: string; readonly bytes: Uint8Array; readonly sources: readonly string[] },
		credentials: RegistryCredentials | undefined,
		signal: AbortSignal,
	): Promise<string>;
	distribution(
		image: string,
		credentials: RegistryCredentials | undefined,
		signal: AbortSignal,
	): Promise<registry.DistributionInspect>;
}

export interface VolumeBackend {
	list(filters: Filters): Promise<volume.VolumeListResponse>;
	create(request: volume.VolumeCreateRequest): Promise<volume.Volume>;
	inspect(name: string): Promise<volume.Volume>;
	remove(name: string, options: { readonly force: boolean }): Promise<void>;
	prune(filters: Filters): Promise<volume.VolumePruneResponse>;
	rename(name: string, newName: string): Promise<void>;
}

/** Not in Docker's API. */
export interface VolumeCopyBackend {
	/** Tells how far it is; errors before the first message are thrown. */
	clone(
		name: string,
		options: { readonly newName: string; readonly pause: boolean },
		signal: AbortSignal,
	): AsyncIterable<image.ProgressMessage>;
	export(name: string, options: { readonly pause: boolean }): Promise<Readable>;
	import(name: string, tar: Readable, options: { readonly merge: boolean }): Promise<volume.Volume>;
}

export interface NetworkBackend {
	list(filters: Filters): Promise<network.NetworkInspect[]>;
	inspect(
		name: string,
		options: { readonly verbose: boolean; readonly scope: string },
	): Promise<network.NetworkInspect>;
	create(request: network.NetworkCreateRequest): Promise<{ Id: string; Warning: string }>;
	remove(name: string): Promise<void>;
	connect(name: string, container: string, settings: container.EndpointSettings | undefined): Promise<void>;
	disconnect(name: string, container: string, force: boolean): Promise<void>;
	prune(filters: Filters): Promise<{ NetworksDeleted: string[] | null }>;
}

export interface GcBackend {
	/** One collection, or with `DryRun` what it would do. */
	collect(request: GcRequest): Promise<GcResponse>;
}

export interface PinBackend {
	list(): string[];
	/** @returns the name as it is pinned */
	pin(name: string): string;
	unpin(name: string): string;
}

export interface SystemBackend {
	info(): Promise<InfoResponse>;
	version(): VersionResponse;
	/** @param types what to measure; the rest is absent */
	diskUsage(
		types: ReadonlySet<"container" | "image" | "volume" | "build-cache">,
		version: ApiVersion,
	): Promise<DiskUsage>;
	/** Past events since `since` (where still known), then live ones until `until`, an abort, or for ever. Times in seconds, fraction included. */
	events(
		options: { readonly since?: number; readonly until?: number; readonly filters: Filters },
		signal: AbortSignal,
	): AsyncIterable<EventMessage>;
}

export interface BuildSessionBackend {
	/** Serves one connection of our own client's builds until it ends. @throws InvalidParameterError for a client that breaks the rules */
	serve(transport: ByteTransport): Promise<void>;
}

/** BuildKit's clients. */
export interface BuildKitBackend {
	/** A session that builds may name; until its client goes. */
	attachSession(id: string, session: SessionCaller): void;
	/** Runs a build to its end. @throws SolveFailure */
	solve(call: SolveCall, signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
	/** Sends encoded progress up to the build's end. @throws NotFoundError */
	watch(ref: string, send: (message: Uint8Array) => Promise<void>, signal: AbortSignal): Promise<void>;
	/** For clients that drive a build themselves. @throws SolveFailure */
	askFrontend(ref: string, call: FrontendCall, signal: AbortSignal): Promise<FrontendAnswer>;
	evaluate(ref: string, result: string, signal: AbortSignal): Promise<void>;
	/** For clients that have a session, and ask for the build by a plain request. Errors come after the messages. */
	buildByRequest(request: RequestBuild, signal: AbortSignal): AsyncIterable<RequestMessage>;
	/** Resolves when the build of that ID has taken the context. */
	upload(id: string, archive: Readable): Promise<void>;
	finish(ref: string, outcome: string | Error, signal: AbortSignal): Promise<void>;
	worker(): Partial<MessageOf<typeof WORKER_RECORD>>;
	/** @throws InvalidParameterError for an unknown filter */
	usage(filters: Filters): BuildCacheRecord[];
	/** @returns what was removed */
	prune(request: Parameters<BuildBackend["prune"]>[0]): Promise<BuildCacheRecord[]>;
}

export interface BuildBackend {
	/** Messages of the classic builder; errors before the first one are thrown. */
	build(options: ClassicOptions, signal: AbortSignal): AsyncIterable<ClassicMessage>;
	/** One that is not there is success. */
	cancel(id: string): void;
	/** @throws InvalidParameterError for an unknown filter */
	prune(request: {
		readonly all: boolean;
		readonly filters: Filters;
		readonly reservedBytes: number;
		readonly maxUsedBytes: number;
		readonly minFreeBytes: number;
	}): Promise<{ readonly ids: readonly string[]; readonly freedBytes: number }>;
}

export interface Backends {
	readonly builds: BuildBackend;
	readonly containers: ContainerLifecycleBackend;
	readonly streams: ContainerStreamBackend;
	readonly files: ContainerFilesBackend;
	readonly views: ContainerViewBackend;
	readonly execs: ExecBackend;
	readonly images: ImageBackend;
	readonly registries: RegistryBackend;
	readonly buildSessions: BuildSessionBackend;
	/** Made at the first use: most of it is needed by nobody else. */
	readonly buildKit: () => Promise<BuildKitBackend>;
	readonly volumes: VolumeBackend;
	readonly volumeCopies: VolumeCopyBackend;
	readonly networks: NetworkBackend;
	readonly system: SystemBackend;
	readonly gc: GcBackend;
	readonly pins: PinBackend;
}
