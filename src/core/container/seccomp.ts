/** Seccomp profiles as the OCI runtime takes them: the built-in one, or one of the user in Docker's or OCI's format. */
import type { SeccompRule, SeccompSpec } from "../../api/oci/runtime-spec.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import {
	ALLOWED_SYSCALLS,
	CONDITIONAL_SYSCALLS,
	type ConditionalSyscalls,
	SECCOMP_ARCHITECTURES,
} from "./seccomp-profile.ts";

export interface SeccompContext {
	/** Go's name. */
	readonly architecture: string;
	readonly kernelRelease: string;
	/** What the process may ever have (its bounding set). */
	readonly capabilities: ReadonlySet<string>;
}

const EPERM = 1;

/**
 * The built-in profile. Names are merged into one rule per action and each stands once, which is the cheapest for
 * libseccomp to compile; a name allowed outright needs no rule with arguments.
 */
export function defaultSeccomp(context: SeccompContext): SeccompSpec {
	const groups = CONDITIONAL_SYSCALLS.filter((group) => applies(group, context));
	const outright = new Set(ALLOWED_SYSCALLS);
	for (const { names, args, errno } of groups)
		if (args === undefined && errno === undefined) for (const name of names.split(" ")) outright.add(name);
	const syscalls: SeccompRule[] = [{ names: [...outright], action: "SCMP_ACT_ALLOW" }];
	for (const { names, args, errno } of groups) {
		if (args === undefined && errno === undefined) continue;
		const rest = names.split(" ").filter((name) => !outright.has(name));
		if (rest.length > 0) syscalls.push(ruleOf(rest, args, errno));
	}
	const architectures = SECCOMP_ARCHITECTURES[context.architecture];
	return {
		defaultAction: "SCMP_ACT_ERRNO",
		defaultErrnoRet: EPERM,
		...(architectures === undefined ? {} : { architectures: [...architectures] }),
		syscalls,
	};
}

function ruleOf(names: string[], args: ConditionalSyscalls["args"], errno: number | undefined): SeccompRule {
	return {
		names,
		...(errno === undefined ? { action: "SCMP_ACT_ALLOW" } : { action: "SCMP_ACT_ERRNO", errnoRet: errno }),
		...(args === undefined ? {} : { args: args.map((argument) => ({ ...argument })) }),
	};
}

function applies(group: ConditionalSyscalls, context: SeccompContext): boolean {
	const { capabilities, architecture } = context;
	if (group.capability !== undefined && !capabilities.has(group.capability)) return false;
	if (group.withoutCapability !== undefined && capabilities.has(group.withoutCapability)) return false;
	if (group.architectures !== undefined && !group.architectures.includes(architecture)) return false;
	if (group.notArchitectures?.includes(architecture) === true) return false;
	return group.kernel === undefined || isKernelAtLeast(context.kernelRelease, group.kernel);
}

export function isKernelAtLeast(release: string, [major, minor]: readonly [number, number]): boolean {
	const match = /^(\d+)\.(\d+)/.exec(release);
	if (match === null) return false;
	const [ownMajor, ownMinor] = [Number(match[1]), Number(match[2])];
	return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

/** What a profile of Docker's format adds to the OCI's. */
interface ProfileRule {
	names?: string[];
	name?: string;
	action?: string;
	errnoRet?: number;
	args?: SeccompRule["args"] | null;
	includes?: ProfileFilter;
	excludes?: ProfileFilter;
}

interface ProfileFilter {
	caps?: string[];
	arches?: string[];
	minKernel?: string;
}

interface Profile {
	defaultAction?: string;
	defaultErrnoRet?: number;
	architectures?: string[];
	archMap?: { architecture: string; subArchitectures?: string[] | null }[];
	flags?: string[];
	syscalls?: ProfileRule[] | null;
}

/**
 * A profile given by the user.
 * @throws InvalidParameterError when it is not a profile
 */
export function customSeccomp(json: string, context: SeccompContext): SeccompSpec {
	const profile = parseProfile(json);
	if ((profile.architectures?.length ?? 0) > 0 && (profile.archMap?.length ?? 0) > 0)
		throw new InvalidParameterError(
			"both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
		);
	const native = SECCOMP_ARCHITECTURES[context.architecture]?.[0];
	const mapped = profile.archMap?.find(({ architecture }) => architecture === native);
	const architectures =
		mapped === undefined ? profile.architectures : [mapped.architecture, ...(mapped.subArchitectures ?? [])];
	return {
		defaultAction: profile.defaultAction ?? "",
		...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
		...(architectures === undefined ? {} : { architectures }),
		...(profile.flags === undefined ? {} : { flags: profile.flags }),
		syscalls: (profile.syscalls ?? []).filter((rule) => includesRule(rule, context)).map(profileRule),
	};
}

function parseProfile(json: string): Profile {
	const fail = (why: string, cause?: unknown) =>
		new InvalidParameterError(`Decoding seccomp profile failed: ${why}`, { cause });
	let parsed: Profile | null;
	try {
		parsed = JSON.parse(json);
	} catch (cause) {
		throw fail(String(cause), cause);
	}
	if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw fail("it is not an object");
	if (typeof parsed.defaultAction !== "string") throw fail("it has no defaultAction");
	if (parsed.syscalls != null && !Array.isArray(parsed.syscalls)) throw fail("syscalls is not a list");
	return parsed;
}

function includesRule({ includes, excludes }: ProfileRule, context: SeccompContext): boolean {
	const { capabilities, architecture, kernelRelease } = context;
	const kernel = (text: string) => /^(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number) ?? [0, 0];
	if (includes?.caps?.some((name) => !capabilities.has(name)) === true) return false;
	if (includes?.arches !== undefined && includes.arches.length > 0 && !includes.arches.includes(architecture))
		return false;
	if (includes?.minKernel !== undefined) {
		const [major = 0, minor = 0] = kernel(includes.minKernel);
		if (!isKernelAtLeast(kernelRelease, [major, minor])) return false;
	}
	if (excludes?.caps?.some((name) => capabilities.has(name)) === true) return false;
	if (excludes?.arches?.includes(architecture) === true) return false;
	if (excludes?.minKernel === undefined) return true;
	const [major = 0, minor = 0] = kernel(excludes.minKernel);
	return !isKernelAtLeast(kernelRelease, [major, minor]);
}

function profileRule(rule: ProfileRule): SeccompRule {
	const names = rule.names ?? (rule.name === undefined ? [] : [rule.name]);
	if (names.length === 0 || typeof rule.action !== "string")
		throw new InvalidParameterError("Decoding seccomp profile failed: a rule needs names and an action");
	return {
		names,
		action: rule.action,
		...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
		...(rule.args == null ? {} : { args: rule.args }),
	};
}
