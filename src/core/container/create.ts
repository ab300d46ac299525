/** A create request settled: merged with the image, defaults filled in, checked. Pure; the image is found by the caller. */
import type {
	ContainerConfig,
	ContainerCreateRequest,
	EndpointSettings,
	HostConfig,
	MountRequest,
} from "../../api/engine/container.ts";
import { type ApiVersion, atLeast } from "../../api/engine/version.ts";
import { type EngineError, InvalidParameterError, NotFoundError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import { parseLink } from "../network/links.ts";
import type { ContainerMount, ContainerRecord } from "./container-record.ts";
import { type EndpointNetworks, requestedEndpoints } from "./endpoints.ts";
import { type DaemonDefaults, normaliseHostConfig } from "./host-config.ts";
import type { HostFacts } from "./host-facts.ts";
import { mergeConfig } from "./merge-config.ts";
import { collectMounts } from "./mounts.ts";
import { containerOfMode } from "./namespace-mode.ts";
import { checkResources } from "./resources.ts";
import { validateConfig } from "./validate-config.ts";

export interface CreateInput {
	readonly containerId: string;
	readonly request: ContainerCreateRequest;
	/** `config` of the image; undefined for an image without one. */
	readonly imageConfig: ContainerConfig | undefined;
	readonly version: ApiVersion;
	readonly defaults: DaemonDefaults;
	readonly host: HostFacts;
	/** Another container by name or ID (`container:` modes, `--volumes-from`). @throws NotFoundError */
	readonly findContainer: (name: string) => Pick<ContainerRecord, "id" | "mounts" | "hostConfig">;
	readonly networks?: EndpointNetworks;
	/** Names of anonymous volumes; random when absent. */
	readonly newVolumeName?: () => string;
}

export interface SettledContainer {
	readonly config: ContainerConfig;
	readonly hostConfig: HostConfig;
	readonly mounts: readonly ContainerMount[];
	/** By network name; empty when it shares another container's network. */
	readonly endpoints: Readonly<Record<string, EndpointSettings>>;
	readonly warnings: readonly string[];
}

/** @throws InvalidParameterError, NotImplementedError, SystemError (where Docker answers 500) */
export function normaliseCreate(input: CreateInput): SettledContainer {
	const { request, version, defaults, host } = input;
	const { HostConfig: hostRequest = {}, NetworkingConfig: networking, ...own } = request;
	const merged = mergeConfig(own, input.imageConfig);
	validateConfig(merged);
	const limits = checkResources(adaptToVersion(hostRequest ?? {}, version), host, "create");
	const hostConfig = resolveContainerModes(
		// Its own configuration: what the image exposes is in nobody's way.
		normaliseHostConfig(own, limits.resources, { defaults, host, version }),
		input.findContainer,
	);
	const mounts = collectMounts(merged, hostConfig, {
		newVolumeName: input.newVolumeName ?? newId,
		volumeDriver: hostConfig.VolumeDriver ?? "",
		dataRoot: defaults.dataRoot,
		mountsOf: (name) => asParameterFault(() => input.findContainer(name).mounts),
	});
	checkLinks(hostConfig, input.findContainer);
	const { endpoints, warnings } = requestedEndpoints(merged, hostConfig, networking, version, input.networks);
	return {
		config: completeConfig(merged, hostConfig, input),
		hostConfig,
		mounts,
		endpoints,
		warnings: [...warnings, ...limits.warnings, ...hostWarnings(merged, hostConfig, limits.resources)],
	};
}

/** What older clients cannot have meant. */
function adaptToVersion(hostConfig: HostConfig, version: ApiVersion): HostConfig {
	const adapted: HostConfig = { ...hostConfig };
	if (!atLeast(version, 40)) delete adapted.PidsLimit;
	if (!atLeast(version, 44) && adapted.Mounts != null)
		adapted.Mounts = adapted.Mounts.map((mount) => (mount.Type === "bind" ? withoutRecursiveReadOnly(mount) : mount));
	if (!atLeast(version, 45) && adapted.Mounts?.some((mount) => (mount.VolumeOptions?.Subpath ?? "") !== "") === true)
		throw new InvalidParameterError("VolumeOptions.Subpath needs API v1.45 or newer");
	if (!atLeast(version, 48) && adapted.Mounts?.some(({ Type }) => Type === "image") === true)
		throw new InvalidParameterError('Mount type "Image" needs API v1.48 or newer');
	return adapted;
}

function withoutRecursiveReadOnly(mount: MountRequest): MountRequest {
	return { ...mount, BindOptions: { ...mount.BindOptions, ReadOnlyNonRecursive: true } };
}

/** Names in `container:` modes become IDs, so that a rename does not break them. A network's is looked for at start. */
function resolveContainerModes(hostConfig: HostConfig, findContainer: CreateInput["findContainer"]): HostConfig {
	const resolved = { ...hostConfig };
	for (const field of ["IpcMode", "PidMode"] as const) {
		const name = containerOfMode(resolved[field]);
		if (name !== undefined && name !== "")
			resolved[field] = `container:${asParameterFault(() => findContainer(name).id)}`;
	}
	const name = containerOfMode(resolved.NetworkMode);
	if (name !== undefined) {
		try {
			resolved.NetworkMode = `container:${findContainer(name).id}`;
		} catch (error) {
			// Docker lets the other container appear later.
			if (!(error instanceof NotFoundError)) throw error;
		}
	}
	return resolved;
}

function checkLinks(hostConfig: HostConfig, findContainer: CreateInput["findContainer"]): void {
	for (const text of hostConfig.Links ?? []) {
		const { target } = parseLink(text);
		if (linked(target, findContainer).hostConfig.NetworkMode === "host")
			throw new InvalidParameterError(
				"conflicting options: host type networking can't be used with links. This would result in undefined behavior",
			);
	}
}

function linked(target: string, findContainer: CreateInput["findContainer"]) {
	try {
		return findContainer(target);
	} catch (cause) {
		if (!(cause instanceof NotFoundError)) throw cause;
		throw new InvalidParameterError(`could not get container for ${target}: ${cause.message}`, { cause });
	}
}

/** A container that is named but not there is a fault of the request (400), not of its address (404). */
function asParameterFault<T>(look: () => T): T {
	try {
		return look();
	} catch (error) {
		if (error instanceof NotFoundError) throw parameterFault(error);
		throw error;
	}
}

function parameterFault(error: EngineError): InvalidParameterError {
	return new InvalidParameterError(error.message, { cause: error.cause });
}

function completeConfig(config: ContainerConfig, hostConfig: HostConfig, input: CreateInput): ContainerConfig {
	const sharesHostName = hostConfig.NetworkMode === "host" || hostConfig.UTSMode === "host";
	const hostname = sharesHostName ? input.host.hostname : input.containerId.slice(0, 12);
	const complete: ContainerConfig = {
		...config,
		Hostname: config.Hostname || hostname,
		Domainname: config.Domainname ?? "",
		User: config.User ?? "",
		WorkingDir: config.WorkingDir ?? "",
		Env: config.Env ?? null,
		Volumes: config.Volumes ?? null,
		OnBuild: config.OnBuild ?? null,
		Labels: config.Labels ?? {},
		Image: config.Image ?? "",
	};
	const published = publishedPorts(hostConfig);
	if (published.length > 0)
		complete.ExposedPorts = { ...complete.ExposedPorts, ...Object.fromEntries(published.map((port) => [port, {}])) };
	return complete;
}

/** A published port is an exposed one. */
function publishedPorts(hostConfig: HostConfig): string[] {
	return Object.keys(hostConfig.PortBindings ?? {});
}

function hostWarnings(config: ContainerConfig, hostConfig: HostConfig, requested: HostConfig): string[] {
	const warnings: string[] = [];
	const mode = hostConfig.NetworkMode ?? "";
	if (mode === "host" && Object.keys(hostConfig.PortBindings ?? {}).length > 0)
		warnings.push("Published ports are discarded when using host network mode");
	if ((requested.KernelMemory ?? 0) !== 0 || (requested.KernelMemoryTCP ?? 0) !== 0)
		warnings.push("The kernel has no kernel memory limit any more. Limitation discarded.");
	if (config.NetworkDisabled === true && Object.keys(hostConfig.PortBindings ?? {}).length > 0)
		warnings.push("Published ports are discarded when networking is disabled");
	if (hostConfig.Mounts?.some(({ Type }) => Type === "image") === true)
		warnings.push("Image mount is an experimental feature");
	return warnings;
}
