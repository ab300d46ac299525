import type { ContainerConfig, HealthConfig } from "../../api/engine/container.ts";
import { InvalidParameterError } from "../../base/errors.ts";

/**
 * The container's configuration: what the request says, completed from the image's. An entrypoint given by the request
 * drops the image's command; `[""]` clears the image's entrypoint.
 * @throws InvalidParameterError `no command specified`
 */
export function mergeConfig(request: ContainerConfig, image: ContainerConfig | undefined): ContainerConfig {
	const merged: ContainerConfig = { ...request, ...commandOf(request, image ?? {}) };
	if (image !== undefined) Object.assign(merged, fromImage(request, image));
	if (merged.Entrypoint?.length === 1 && merged.Entrypoint[0] === "") merged.Entrypoint = null;
	if ((merged.Entrypoint?.length ?? 0) === 0 && (merged.Cmd?.length ?? 0) === 0)
		throw new InvalidParameterError("no command specified");
	return merged;
}

function commandOf(request: ContainerConfig, image: ContainerConfig): Pick<ContainerConfig, "Cmd" | "Entrypoint"> {
	const own = { Cmd: request.Cmd ?? null, Entrypoint: request.Entrypoint ?? null };
	if ((own.Entrypoint?.length ?? 0) > 0) return own;
	return {
		Cmd: (own.Cmd?.length ?? 0) > 0 ? own.Cmd : (image.Cmd ?? own.Cmd),
		Entrypoint: own.Entrypoint === null ? (image.Entrypoint ?? null) : own.Entrypoint,
	};
}

function fromImage(request: ContainerConfig, image: ContainerConfig): ContainerConfig {
	const health = mergeHealthcheck(request.Healthcheck, image.Healthcheck);
	return {
		User: request.User || image.User || "",
		WorkingDir: request.WorkingDir || image.WorkingDir || "",
		Env: mergeEnvironment(request.Env ?? null, image.Env ?? null),
		ExposedPorts: union(image.ExposedPorts, request.ExposedPorts),
		Volumes: isEmpty(request.Volumes) ? (image.Volumes ?? null) : { ...image.Volumes, ...request.Volumes },
		Labels: { ...image.Labels, ...request.Labels },
		...(image.Shell !== undefined && request.Shell === undefined ? { Shell: image.Shell } : {}),
		...(request.StopSignal || image.StopSignal ? { StopSignal: request.StopSignal || image.StopSignal || "" } : {}),
		...(health === undefined ? {} : { Healthcheck: health }),
	};
}

/** The request's variables first, then those of the image that it does not name. */
export function mergeEnvironment(own: readonly string[] | null, image: readonly string[] | null): string[] | null {
	if (own === null || own.length === 0) return image === null ? (own === null ? null : []) : [...image];
	const names = new Set(own.map(variableName));
	return [...own, ...(image ?? []).filter((entry) => !names.has(variableName(entry)))];
}

function variableName(entry: string): string {
	const equals = entry.indexOf("=");
	return equals === -1 ? entry : entry.slice(0, equals);
}

function isEmpty(map: object | null | undefined): boolean {
	return Object.keys(map ?? {}).length === 0;
}

function union<T>(first: Record<string, T> | null | undefined, second: Record<string, T> | null | undefined) {
	if ((first ?? null) === null && (second ?? null) === null) return null;
	return { ...first, ...second };
}

function mergeHealthcheck(own: HealthConfig | undefined, image: HealthConfig | undefined): HealthConfig | undefined {
	if (own === undefined || image === undefined) return own ?? image;
	const merged: HealthConfig = { ...image };
	if ((own.Test?.length ?? 0) > 0 && own.Test !== undefined) merged.Test = own.Test;
	for (const key of ["Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"] as const) {
		const value = own[key];
		if (value !== undefined && value !== 0) merged[key] = value;
	}
	return merged;
}
