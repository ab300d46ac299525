/** `GET /containers/{id}/json` in the shape of each API version: `null`, `[]` and absent as Docker has them. */
import type { ContainerConfig, ContainerInspect, ContainerState } from "../../api/engine/container.ts";
import { type ApiVersion, atLeast } from "../../api/engine/version.ts";
import { parseLink } from "../network/links.ts";
import type { ContainerRecord } from "./container-record.ts";
import { viewHostConfig } from "./host-config-view.ts";
import { type MountLocations, viewMounts } from "./mount-view.ts";
import { type NetworkView, viewNetworkSettings } from "./network-view.ts";
import { isRunning, lastExit } from "./state.ts";
import { statusName } from "./status.ts";
import { formatTime } from "./time-text.ts";

export interface InspectContext extends NetworkView {
	readonly version: ApiVersion;
	readonly paths: { readonly resolvConf: string; readonly hostname: string; readonly hosts: string };
	readonly snapshotter: { readonly name: string; readonly data: Readonly<Record<string, string>> | null };
	/** Execs that are known now. */
	readonly execIds: readonly string[];
	readonly locations: MountLocations;
	/** Name of the container that a name or ID means; the text itself when there is none. */
	readonly containerName: (reference: string) => string;
	/** Asked for with `size=1`. */
	readonly size?: { readonly writableBytes: number; readonly totalBytes: number };
}

export function inspectView(record: ContainerRecord, context: InspectContext): ContainerInspect {
	const { version, paths, snapshotter, execIds, size } = context;
	const [path = "", ...args] = [...(record.config.Entrypoint ?? []), ...(record.config.Cmd ?? [])];
	return {
		Id: record.id,
		Created: formatTime(record.createdAt),
		Path: path,
		Args: args,
		State: stateView(record),
		Image: record.imageId,
		ResolvConfPath: paths.resolvConf,
		HostnamePath: paths.hostname,
		HostsPath: paths.hosts,
		LogPath: record.logPath,
		Name: `/${record.name}`,
		RestartCount: record.restartCount,
		Driver: snapshotter.name,
		Platform: record.platform.split("/")[0] ?? "linux",
		MountLabel: "",
		ProcessLabel: "",
		AppArmorProfile: "",
		ExecIDs: execIds.length === 0 ? null : [...execIds],
		HostConfig: { ...viewHostConfig(record.hostConfig, version), Links: linksView(record, context) },
		GraphDriver: { Data: snapshotter.data === null ? null : { ...snapshotter.data }, Name: snapshotter.name },
		...(size === undefined ? {} : { SizeRw: size.writableBytes, SizeRootFs: size.totalBytes }),
		Mounts: viewMounts(record, context.locations),
		Config: configView(record, version),
		NetworkSettings: viewNetworkSettings(record, context, version),
	};
}

/** `/other:/own/alias`: what tools read back to make the same container again. */
function linksView({ hostConfig, name }: ContainerRecord, { containerName }: InspectContext): string[] | null {
	if (!hostConfig.Links) return null;
	return hostConfig.Links.map(parseLink).map(({ target, alias }) => `/${containerName(target)}:/${name}/${alias}`);
}

function stateView(record: ContainerRecord): ContainerState {
	const { lifecycle, health } = record;
	const running = isRunning(lifecycle) ? lifecycle : undefined;
	const exit = lastExit(lifecycle);
	const restarting = lifecycle.kind === "restarting";
	return {
		Status: statusName(lifecycle),
		// Docker calls one that waits for its restart running, too.
		Running: running !== undefined || restarting,
		Paused: lifecycle.kind === "paused",
		Restarting: restarting,
		OOMKilled: running?.oomKilled ?? exit?.oomKilled ?? false,
		Dead: lifecycle.kind === "dead",
		Pid: running?.pid ?? 0,
		ExitCode: exit?.exitCode ?? 0,
		Error: exit?.error ?? "",
		StartedAt: formatTime(running?.startedAt ?? exit?.startedAt ?? 0),
		FinishedAt: formatTime(exit?.finishedAt ?? 0),
		...(health === undefined
			? {}
			: { Health: { Status: health.status, FailingStreak: health.failingStreak, Log: [...health.log] } }),
	};
}

function configView({ config, endpoints, hostConfig }: ContainerRecord, version: ApiVersion): ContainerConfig {
	const { MacAddress: _, ...rest } = config;
	const mac = endpoints[hostConfig.NetworkMode ?? ""]?.requested.MacAddress ?? "";
	const { ExposedPorts, Healthcheck, ArgsEscaped, NetworkDisabled, StopSignal, StopTimeout, Shell } = rest;
	return {
		Hostname: config.Hostname ?? "",
		Domainname: config.Domainname ?? "",
		User: config.User ?? "",
		AttachStdin: config.AttachStdin ?? false,
		AttachStdout: config.AttachStdout ?? false,
		AttachStderr: config.AttachStderr ?? false,
		...(Object.keys(ExposedPorts ?? {}).length === 0 ? {} : { ExposedPorts: ExposedPorts ?? {} }),
		Tty: config.Tty ?? false,
		OpenStdin: config.OpenStdin ?? false,
		StdinOnce: config.StdinOnce ?? false,
		Env: config.Env ?? null,
		Cmd: config.Cmd ?? null,
		...(Healthcheck === undefined ? {} : { Healthcheck }),
		...(ArgsEscaped === true ? { ArgsEscaped } : {}),
		Image: config.Image ?? "",
		Volumes: config.Volumes ?? null,
		WorkingDir: config.WorkingDir ?? "",
		Entrypoint: config.Entrypoint ?? null,
		...(NetworkDisabled === true ? { NetworkDisabled } : {}),
		...(mac !== "" && !atLeast(version, 44) ? { MacAddress: mac } : {}),
		OnBuild: config.OnBuild ?? null,
		Labels: config.Labels ?? {},
		...((StopSignal ?? "") === "" ? {} : { StopSignal: StopSignal ?? "" }),
		...(StopTimeout === undefined || StopTimeout === null ? {} : { StopTimeout }),
		...((Shell?.length ?? 0) === 0 ? {} : { Shell: Shell ?? [] }),
	};
}
