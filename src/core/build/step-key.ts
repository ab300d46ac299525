/** What cached steps are found by. A key says all that the result depends on, and nothing else. */
import { type Digest, sha256 } from "../../base/digest.ts";
import type { StepAction } from "./plan/build-plan.ts";

/** Of the whole build, as far as it reaches into steps. */
export interface KeyScope {
	/** Topmost layer that the step stands on. */
	readonly parent: Digest | undefined;
	/** `linux/amd64`. */
	readonly platform: string;
	readonly network: string;
	readonly extraHosts: readonly string[];
	/** Seconds; no file of a layer is newer. */
	readonly sourceDateEpoch: number | undefined;
}

type RunAction = Extract<StepAction, { readonly kind: "run" }>;
type CopyAction = Extract<StepAction, { readonly kind: "copy" }>;

/**
 * @param inputs what the mounts and sources hold, in their order: a stack's chain ID, or the digest of what is read
 */
export function runKey(action: RunAction, scope: KeyScope, inputs: readonly string[]): Digest {
	return key("run", scope, {
		arguments: action.arguments,
		script: action.script,
		environment: action.environment,
		workingDirectory: action.workingDirectory,
		user: action.user,
		network: action.network === "default" ? scope.network : action.network,
		insecure: action.insecure,
		extraHosts: scope.extraHosts,
		mounts: action.mounts.map(({ mount }) => mount),
		inputs,
	});
}

/** @param owner as resolved in the stage; undefined: the source's */
export function copyKey(
	action: CopyAction,
	scope: KeyScope,
	owner: { readonly uid: number; readonly gid: number } | undefined,
	inputs: readonly string[],
): Digest {
	const { isAdd, paths, heredocs, destination, chmod, link, parents, exclude, unpack, checksum, keepGitDir } = action;
	return key("copy", scope, {
		isAdd,
		paths,
		heredocs: heredocs.map(({ name, content, stripTabs }) => ({ name, content, stripTabs })),
		destination,
		owner,
		chmod,
		link,
		parents,
		exclude,
		unpack,
		checksum,
		keepGitDir,
		inputs,
	});
}

export function directoryKey(path: string, user: string, scope: KeyScope): Digest {
	return key("directory", scope, { path, user });
}

/** A change of the configuration alone: its time is remembered, so that the image stays the same. */
export function configKey(imageId: Digest, createdBy: string): Digest {
	return sha256(JSON.stringify(["config", imageId, createdBy]));
}

function key(kind: string, scope: KeyScope, definition: unknown): Digest {
	const { parent = "", platform, sourceDateEpoch } = scope;
	const limit = sourceDateEpoch === undefined ? [] : [sourceDateEpoch];
	return sha256(JSON.stringify([kind, parent, platform, definition, ...limit]));
}
