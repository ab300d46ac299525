/**
 * What a build can be asked for, by either API. Plain data apart from the ports in `BuildSession`, through which the
 * builder asks its client for what only the client has.
 */
import type { Ulimit } from "../../api/engine/container.ts";
import type { Platform } from "../../api/oci/image.ts";
import type { NamedTree } from "../diff/archiver.ts";
import type { RegistryCredentials } from "../remotes/remote.ts";
import type { BuildContext } from "./context.ts";

/** The Dockerfile's text as it came, or where the context has it. */
export type DockerfileSource =
	| { readonly kind: "text"; readonly text: string; readonly name: string }
	| { readonly kind: "context"; readonly path: string };

/** What a name of `--build-context`, `COPY --from` or `FROM` stands for. */
export type NamedContext =
	| { readonly kind: "context"; readonly context: BuildContext }
	| { readonly kind: "image"; readonly reference: string }
	/** An image of an OCI layout: by tag or digest; empty: the only one for the platform. */
	| { readonly kind: "layout"; readonly context: BuildContext; readonly image: string }
	| { readonly kind: "git" | "http"; readonly url: string };

export interface BuildLimits {
	readonly memoryBytes?: number;
	/** Memory and swap together; -1: unlimited swap. */
	readonly memorySwapBytes?: number;
	readonly cpuShares?: number;
	/** Microseconds. */
	readonly cpuPeriod?: number;
	readonly cpuQuota?: number;
	readonly cpusetCpus?: string;
	readonly cpusetMems?: string;
	readonly shmSizeBytes?: number;
	readonly ulimits?: readonly Ulimit[];
	readonly cgroupParent?: string;
}

/** Where cache records come from or go to: `type=registry,ref=…`, `type=local,src=…`, `type=inline`. */
export interface CacheEndpoint {
	readonly type: "registry" | "local" | "inline";
	readonly attributes: Readonly<Record<string, string>>;
}

export interface CacheSource extends CacheEndpoint {
	/** Of `type=local`: the client's directory, an OCI layout. Undefined when it is not there. */
	readonly context?: BuildContext;
}

/** What becomes of the result. Archives and trees are written to the session's `output` with the index of the list. */
export interface BuildOutput {
	/** `image`: into the image store under the request's tags. */
	readonly type: "image" | "local" | "tar" | "oci" | "docker";
	/** Of an image: names in addition to the request's tags, `push`, `annotation.*`, `oci-mediatypes`, `rewrite-timestamp`, … */
	readonly attributes: Readonly<Record<string, string>>;
}

export interface BuildRequest {
	/** Chosen by the client; `POST /build/cancel` names it. Empty: none. */
	readonly id: string;
	readonly dockerfile: DockerfileSource;
	/** Undefined for a build without one (`build - < Dockerfile`): an empty directory. */
	readonly context: BuildContext | undefined;
	readonly namedContexts: ReadonlyMap<string, NamedContext>;
	/** Stage name or index; empty: the last stage. */
	readonly target: string;
	readonly buildArgs: ReadonlyMap<string, string>;
	readonly labels: ReadonlyMap<string, string>;
	/** As the user wrote them; normalised by the builder. */
	readonly tags: readonly string[];
	/** Empty: this machine's. */
	readonly platforms: readonly Platform[];
	/** `all`, or the names of the stages that are built anew. */
	readonly noCache: "all" | readonly string[];
	/** Look for newer base images. */
	readonly pull: boolean;
	readonly cacheFrom: readonly CacheSource[];
	readonly cacheTo: readonly CacheEndpoint[];
	/** `default`, `none`, `host`, or (classic API) a network's name or `container:<id>`. */
	readonly network: string;
	/** `name:address`, `host-gateway` for an address included. */
	readonly extraHosts: readonly string[];
	readonly limits: BuildLimits;
	readonly outputs: readonly BuildOutput[];
	readonly annotations: readonly BuildAnnotation[];
	readonly attestations: {
		/** Undefined: none. */
		readonly provenance?: { readonly mode: "min" | "max" };
		readonly sbom?: { readonly generator: string };
	};
	/** Seconds; undefined: the real time. */
	readonly sourceDateEpoch: number | undefined;
	readonly squash: boolean;
	/** Entitlements granted: `network.host`, `security.insecure`. */
	readonly allow: ReadonlySet<string>;
	readonly session: BuildSession;
}

export interface BuildAnnotation {
	readonly level: "manifest" | "index" | "manifest-descriptor" | "index-descriptor";
	readonly key: string;
	readonly value: string;
}

/** A byte stream both ways, as to an ssh agent. */
export interface BuildConnection {
	readonly readable: AsyncIterable<Uint8Array>;
	write(data: Uint8Array): Promise<void>;
	/** Ends both directions. Idempotent. */
	close(): void;
}

/** A finished archive or tree on its way to the client. */
export interface OutputSink {
	/** A tar stream: the archive itself, or for `local` what the client unpacks into its directory. Waits when the client is slow. */
	write(data: Uint8Array): Promise<void>;
	close(): Promise<void>;
}

/** What only the client has. Every method may fail with what went wrong there. */
export interface BuildSession {
	/** Undefined when the client has no such secret. */
	secret(id: string): Promise<Uint8Array | undefined>;
	/** Whether an agent or key goes by that name (`default` when none was given). */
	hasSsh(id: string): Promise<boolean>;
	/** One connection to the client's ssh agent. */
	openSsh(id: string): Promise<BuildConnection>;
	/** For pulls and pushes; undefined: none for that registry. @param host as in references, `docker.io` for Docker Hub */
	credentials(host: string): Promise<RegistryCredentials | undefined>;
	/** @param index of the output in the request's list; those of `cacheTo` follow after the outputs */
	output(index: number): Promise<OutputSink>;
	/**
	 * For clients that take the files of an output of type `local` one by one, in place of an archive.
	 * @param trees whole ones, which nobody changes; without a name in the output itself, with one in a directory of it
	 * @param onProgress hears how many bytes were sent
	 */
	outputTrees?(index: number, trees: readonly NamedTree[], onProgress: (sentBytes: number) => void): Promise<void>;
}

/** What a build gave. */
export interface BuildResult {
	/** Digest of what was exported: the image's ID, or the index or manifest digest where one was made. Empty when nothing was. */
	readonly digest: string;
	/** Image IDs by platform (`linux/amd64`). */
	readonly images: ReadonlyMap<string, string>;
	/** For `--metadata-file`: `containerimage.digest`, `containerimage.config.digest`, `image.name`, `buildx.build.provenance`, … */
	readonly metadata: Readonly<Record<string, unknown>>;
	/** Build arguments that nothing used. */
	readonly unusedBuildArgs: readonly string[];
}
