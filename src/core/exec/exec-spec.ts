/** The OCI `process` of an exec: the container's own surroundings with what the request changes. */
import type { ExecCreateRequest } from "../../api/engine/exec.ts";
import type { ProcessSpec } from "../../api/oci/runtime-spec.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { grantCapabilities } from "../container/capabilities.ts";
import type { ContainerRecord } from "../container/container-record.ts";
import { baseEnvironment, overrideEnvironment } from "../container/environment.ts";
import type { HostFacts } from "../container/host-facts.ts";
import { buildRlimits } from "../container/rlimits.ts";
import { capabilitySets, type SpecDefaults } from "../container/runtime-spec.ts";
import { parseSecurityOptions } from "../container/security-options.ts";
import { hasAccount, resolveUser, type UserFiles } from "../container/user.ts";

export interface ExecSpecInput {
	readonly record: Pick<ContainerRecord, "config" | "hostConfig">;
	readonly request: ExecCreateRequest;
	/** Size of the terminal, when the client has said it. */
	readonly consoleSize?: readonly [height: number, width: number];
	readonly userFiles: UserFiles;
	readonly linkEnvironment?: readonly string[];
	readonly host: HostFacts;
	readonly daemon: SpecDefaults;
}

/** @throws InvalidParameterError `No exec command specified`, a malformed variable */
export function checkExecRequest(request: ExecCreateRequest): void {
	if ((request.Cmd?.length ?? 0) === 0) throw new InvalidParameterError("No exec command specified");
	for (const entry of request.Env ?? [])
		if (entry === "" || entry.startsWith("=") || entry.includes("\0"))
			throw new InvalidParameterError(`invalid environment variable: ${entry}`);
	for (const argument of request.Cmd ?? [])
		if (argument.includes("\0")) throw new InvalidParameterError("invalid command: an argument has a NUL byte in it");
}

/** @throws InvalidParameterError for a user or group that the container does not have */
export function buildExecProcess(input: ExecSpecInput): ProcessSpec {
	const { config, hostConfig } = input.record;
	const { request } = input;
	const terminal = request.Tty ?? false;
	const user = resolveUser(request.User || config.User || "", input.userFiles, hostConfig.GroupAdd ?? []);
	const granted = grantCapabilities(
		{
			add: hostConfig.CapAdd ?? [],
			drop: hostConfig.CapDrop ?? [],
			privileged: request.Privileged === true || hostConfig.Privileged === true,
		},
		input.host.capabilities,
	);
	const security = parseSecurityOptions(hostConfig.SecurityOpt, {
		noNewPrivileges: input.daemon.noNewPrivileges,
		appArmor: input.host.appArmor,
	});
	const known = hasAccount(user.uid, input.userFiles);
	const base = [
		...baseEnvironment({ hostname: config.Hostname ?? "", terminal, hasAccount: known }),
		...(input.linkEnvironment ?? []),
	];
	const [height, width] = input.consoleSize ?? request.ConsoleSize ?? [0, 0];
	const rlimits = buildRlimits(hostConfig.Ulimits ?? [], input.daemon.ulimits, input.host);
	return {
		terminal,
		...(terminal && height > 0 && width > 0 ? { consoleSize: { height, width } } : {}),
		user,
		args: [...(request.Cmd ?? [])],
		env: overrideEnvironment(overrideEnvironment(base, config.Env ?? []), request.Env ?? []),
		cwd: request.WorkingDir || config.WorkingDir || "/",
		capabilities: capabilitySets(granted, user.uid),
		...(rlimits.length === 0 ? {} : { rlimits }),
		noNewPrivileges: security.noNewPrivileges,
		oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
	};
}
