/**
 * What a Dockerfile comes to once images, arguments and target are known: stages with steps, everything expanded. Plain data; the solver
 * runs it. Only what the target needs is in it.
 */
import type { ContainerConfig } from "../../../api/engine/container.ts";
import type { ImageConfig, Platform } from "../../../api/oci/image.ts";
import type { Digest } from "../../../base/digest.ts";
import type { SourceRange } from "../../dockerfile/source-range.ts";
import type { Heredoc, Mount } from "../../dockerfile/syntax.ts";

/** An image that a build starts from or copies from, present here. */
export interface BaseImage {
	/** As the Dockerfile has it. */
	readonly reference: string;
	readonly id: Digest;
	readonly config: ImageConfig;
	/** Topmost layer; undefined for an image without. */
	readonly chainId: Digest | undefined;
	/** `name@sha256:…` of the manifest or index it was pulled as, if it was. */
	readonly repoDigest: string | undefined;
}

/** Where COPY, ADD and mounts take files from. */
export type FileSource =
	| { readonly kind: "context" /** Named context; undefined: the build's own. */; readonly name: string | undefined }
	| { readonly kind: "stage" /** `PlannedStage.id` */; readonly id: number }
	| { readonly kind: "image"; readonly image: BaseImage }
	/** A mount of an empty directory. */
	| { readonly kind: "scratch" };

export interface ResolvedMount {
	readonly mount: Mount;
	/** Of binds, and of caches that begin with something. */
	readonly source: FileSource | undefined;
}

export type StepAction =
	/** Changes the configuration alone. */
	| { readonly kind: "config" }
	| {
			readonly kind: "run";
			readonly arguments: readonly string[];
			/** A script to be run as a program, from a heredoc that begins with `#!`. */
			readonly script: { readonly name: string; readonly text: string } | undefined;
			readonly environment: readonly string[];
			/** Proxies: part of the environment, not of the cache key. */
			readonly proxies: readonly string[];
			readonly workingDirectory: string;
			readonly user: string;
			readonly network: "default" | "none" | "host";
			readonly insecure: boolean;
			readonly mounts: readonly ResolvedMount[];
	  }
	| {
			readonly kind: "copy";
			readonly isAdd: boolean;
			readonly source: FileSource;
			/** Paths and patterns in the source; of ADD also URLs and repositories, told by `isRemoteSource`. */
			readonly paths: readonly string[];
			readonly heredocs: readonly Heredoc[];
			/** Absolute; ends with a slash when it must be a directory. */
			readonly destination: string;
			readonly chown: string | undefined;
			readonly chmod: string | undefined;
			readonly link: boolean;
			readonly parents: boolean;
			readonly exclude: readonly string[];
			readonly unpack: boolean | undefined;
			readonly checksum: string | undefined;
			readonly keepGitDir: boolean;
	  }
	/** WORKDIR: the directory is made where it is missing, and belongs to the stage's user. */
	| { readonly kind: "directory"; readonly path: string; readonly user: string };

/** Stages that begin alike, for several platforms, have their first steps in common: the same objects. */
export interface PlannedStep {
	/** `RUN make $TARGET`, on one line. */
	readonly instruction: string;
	/** The same with the values of variables that are set, as progress shows it. */
	readonly title: string;
	/** Undefined for a trigger of the base image. */
	readonly range: SourceRange | undefined;
	readonly action: StepAction;
	/** The image's configuration after the step. */
	readonly config: ContainerConfig;
	readonly author: string;
	/** For the image's history; empty where it has no line there. */
	readonly createdBy: string;
	/** What the arguments in its place say it builds for, where that is not the stage's own platform. */
	readonly buildsFor: Platform | undefined;
}

export interface PlannedStage {
	/** In the plan. For a single platform it is the index. */
	readonly id: number;
	/** As in the Dockerfile. */
	readonly index: number;
	/** "" without AS. */
	readonly name: string;
	readonly platform: Platform;
	readonly from:
		| { readonly kind: "scratch" }
		| { readonly kind: "image"; readonly image: BaseImage }
		| { readonly kind: "stage" /** `PlannedStage.id` */; readonly id: number }
		| { readonly kind: "context"; readonly name: string };
	/** What FROM says, expanded, for people. */
	readonly base: string;
	readonly fromRange: SourceRange;
	readonly fromText: string;
	/** Before the first step. */
	readonly config: ContainerConfig;
	readonly steps: readonly PlannedStep[];
	/** Stages whose results it reads, by their IDs. */
	readonly needs: ReadonlySet<number>;
}

export interface BuildPlan {
	/** By ID; only those the targets need. Later ones read earlier ones only. */
	readonly stages: ReadonlyMap<number, PlannedStage>;
	/** For each platform, in the order asked for. */
	readonly targets: readonly number[];
	/** Build arguments that no ARG names. */
	readonly unusedBuildArgs: readonly string[];
}
