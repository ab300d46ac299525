/** The configuration as the engine's services want it. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { errorMessage, InvalidParameterError } from "../base/errors.ts";
import type { DaemonDefaults } from "../core/container/host-config.ts";
import type { SpecDefaults } from "../core/container/runtime-spec.ts";
import { DEFAULT_SUBNET_POOLS, type SubnetPool } from "../core/network/subnet-choice.ts";
import type { EngineSettings } from "../engine/system/system-info.ts";
import type { DaemonConfig } from "./config.ts";
import type { RuntimeChoice } from "./programs.ts";

export function daemonDefaults(config: DaemonConfig, runtimes: RuntimeChoice): DaemonDefaults {
	const { containers } = config;
	return {
		runtimes: runtimes.binaries.map(({ name }) => name),
		defaultRuntime: runtimes.defaultRuntime,
		logDriver: containers.logDriver,
		logOptions: containers.logOptions,
		shmSizeBytes: containers.shmSizeBytes,
		cgroupnsMode: containers.cgroupnsMode ?? "private",
		ipcMode: containers.ipcMode,
		noNewPrivileges: containers.noNewPrivileges,
		dataRoot: config.dataRoot,
	};
}

/** @throws InvalidParameterError when the seccomp profile cannot be read */
export function specDefaults({ containers }: DaemonConfig): SpecDefaults {
	const ulimits = Object.values(containers.ulimits);
	const { noNewPrivileges, seccompProfile } = containers;
	if (seccompProfile === "builtin") return { ulimits, noNewPrivileges };
	if (seccompProfile === "unconfined")
		return { ulimits, noNewPrivileges, seccompProfile: '{"defaultAction":"SCMP_ACT_ALLOW"}' };
	try {
		return { ulimits, noNewPrivileges, seccompProfile: readFileSync(seccompProfile, "utf8") };
	} catch (cause) {
		throw new InvalidParameterError(`opening seccomp profile (${seccompProfile}) failed: ${errorMessage(cause)}`, {
			cause,
		});
	}
}

export function subnetPools({ bridge }: DaemonConfig): readonly SubnetPool[] {
	if (bridge.addressPools.length === 0) return DEFAULT_SUBNET_POOLS;
	return bridge.addressPools.map(({ base, size }) => ({ base, prefixLength: size }));
}

/** One set of firewall tables for each daemon, told by its bridge's name where there is one. */
export function firewallTableName({ bridge, execRoot }: DaemonConfig): string {
	const suffix = bridge.name === "none" ? shortHash(execRoot) : bridge.name;
	return `gantry-${suffix.replace(/[^A-Za-z0-9_-]/g, "_")}`;
}

/** Begin of the names of the input gate's interfaces: the bridge's name, where there is room for three more letters. */
export function inputGateName({ bridge, execRoot }: DaemonConfig): string {
	return bridge.name === "none" || bridge.name.length > 12 ? `gg${shortHash(execRoot)}` : bridge.name;
}

function shortHash(text: string): string {
	return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

export function engineSettings(config: DaemonConfig, runtimes: RuntimeChoice, hostname: string): EngineSettings {
	const { containers, registry, tls } = config;
	return {
		name: hostname,
		dataRoot: config.dataRoot,
		labels: config.labels,
		debug: config.debug,
		experimental: config.experimental,
		logDriver: containers.logDriver,
		seccompProfile: containers.seccompProfile,
		noNewPrivileges: containers.noNewPrivileges,
		initBinary: containers.initPath || "docker-init",
		runtimes: runtimes.binaries,
		defaultRuntime: runtimes.defaultRuntime,
		addressPools: subnetPools(config),
		registryMirrors: registry.mirrors,
		insecureRegistries: registry.insecure,
		environment: {
			httpProxy: registry.proxies.http ?? "",
			httpsProxy: registry.proxies.https ?? "",
			noProxy: registry.proxies.exceptions.join(","),
		},
		insecureListeners: tls.verifyClient ? [] : config.hosts.filter((host) => host.startsWith("tcp://")),
	};
}

/** What a reload takes over from the new configuration; everything else needs a restart. */
export function reloaded(current: DaemonConfig, next: DaemonConfig): DaemonConfig {
	const { runtime, shmSizeBytes, ipcMode } = next.containers;
	return {
		...current,
		debug: next.debug,
		logLevel: next.logLevel,
		labels: next.labels,
		registry: next.registry,
		gc: next.gc,
		shutdownTimeoutSeconds: next.shutdownTimeoutSeconds,
		containers: { ...current.containers, runtime, shmSizeBytes, ipcMode },
	};
}

/** Attributes of the `reload` event. */
export function reloadAttributes(config: DaemonConfig, runtimes: RuntimeChoice): Readonly<Record<string, string>> {
	return {
		debug: String(config.debug),
		"default-ipc-mode": config.containers.ipcMode,
		"default-runtime": runtimes.defaultRuntime,
		"default-shm-size": String(config.containers.shmSizeBytes),
		"insecure-registries": JSON.stringify(config.registry.insecure),
		labels: JSON.stringify(config.labels),
		"live-restore": "true",
		"max-concurrent-downloads": String(config.registry.maxDownloads),
		"max-concurrent-uploads": String(config.registry.maxUploads),
		"max-download-attempts": String(config.registry.downloadAttempts),
		"registry-mirrors": JSON.stringify(config.registry.mirrors),
		runtimes: runtimes.binaries.map(({ name, path }) => `${name}:${path}`).join(" "),
		"shutdown-timeout": String(config.shutdownTimeoutSeconds),
	};
}
