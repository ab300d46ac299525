import type {
	EndpointSettings,
	NetworkSettings,
	PortBinding,
	PortMap,
	PortSummary,
} from "../../api/engine/container.ts";
import { type ApiVersion, atLeast } from "../../api/engine/version.ts";
import type { ContainerEndpoint, ContainerRecord } from "./container-record.ts";
import { formatPort, parseExposedPort } from "./ports.ts";
import { isRunning } from "./state.ts";

export interface NetworkView {
	/** Of the namespace; empty when it does not run. */
	readonly sandboxKey: string;
	/** ID of a network by its name. */
	readonly networkId: (name: string) => string | undefined;
}

export function viewEndpoint(
	name: string,
	endpoint: ContainerEndpoint,
	record: ContainerRecord,
	view: NetworkView,
): EndpointSettings {
	const { requested, assigned } = endpoint;
	const settings: EndpointSettings = {
		IPAMConfig: requested.IPAMConfig ?? null,
		Links: requested.Links ?? null,
		Aliases: requested.Aliases ?? null,
		MacAddress: assigned?.macAddress ?? requested.MacAddress ?? "",
		DriverOpts: requested.DriverOpts ?? null,
		GwPriority: requested.GwPriority ?? 0,
		NetworkID: assigned?.networkId ?? (record.lifecycle.kind === "created" ? "" : (view.networkId(name) ?? "")),
		EndpointID: assigned?.endpointId ?? "",
		Gateway: assigned?.gateway ?? "",
		IPAddress: assigned?.address ?? "",
		IPPrefixLen: assigned?.prefixLength ?? 0,
		IPv6Gateway: assigned?.gateway6 ?? "",
		GlobalIPv6Address: assigned?.address6 ?? "",
		GlobalIPv6PrefixLen: assigned?.prefixLength6 ?? 0,
		DNSNames: isPredefined(name) ? null : dnsNames(requested, record),
	};
	return settings;
}

function isPredefined(network: string): boolean {
	return network === "bridge" || network === "host" || network === "none";
}

export function dnsNames(requested: EndpointSettings, record: ContainerRecord): string[] {
	return [
		...new Set([record.name, ...(requested.Aliases ?? []), record.id.slice(0, 12), record.config.Hostname ?? ""]),
	].filter((name) => name !== "");
}

export function viewEndpoints(record: ContainerRecord, view: NetworkView): Record<string, EndpointSettings> {
	return Object.fromEntries(
		Object.entries(record.endpoints).map(([name, endpoint]) => [name, viewEndpoint(name, endpoint, record, view)]),
	);
}

export function viewNetworkSettings(record: ContainerRecord, view: NetworkView, version: ApiVersion): NetworkSettings {
	const networks = viewEndpoints(record, view);
	const sandboxKey = isRunning(record.lifecycle) ? view.sandboxKey : "";
	const settings = {
		SandboxID: sandboxKey === "" ? "" : record.id,
		SandboxKey: sandboxKey,
		Ports: viewPortMap(record),
		Networks: networks,
	};
	// The default bridge's settings stood at the top as well, until API 1.52.
	if (atLeast(version, 52)) return settings;
	const { SandboxID, SandboxKey, Ports, Networks } = settings;
	const bridge = networks["bridge"];
	return {
		Bridge: "",
		SandboxID,
		SandboxKey,
		Ports,
		HairpinMode: false,
		LinkLocalIPv6Address: "",
		LinkLocalIPv6PrefixLen: 0,
		SecondaryIPAddresses: null,
		SecondaryIPv6Addresses: null,
		EndpointID: bridge?.EndpointID ?? "",
		Gateway: bridge?.Gateway ?? "",
		GlobalIPv6Address: bridge?.GlobalIPv6Address ?? "",
		GlobalIPv6PrefixLen: bridge?.GlobalIPv6PrefixLen ?? 0,
		IPAddress: bridge?.IPAddress ?? "",
		IPPrefixLen: bridge?.IPPrefixLen ?? 0,
		IPv6Gateway: bridge?.IPv6Gateway ?? "",
		MacAddress: bridge?.MacAddress ?? "",
		Networks,
	};
}

/** Exposed and published ports of a running container; exposed ones that are not published are null. */
export function viewPortMap(record: ContainerRecord): PortMap {
	if (!isRunning(record.lifecycle)) return {};
	const ports: PortMap = {};
	for (const key of Object.keys(record.config.ExposedPorts ?? {}))
		for (const port of parseExposedPort(key)) ports[formatPort(port)] = null;
	for (const { containerPort, protocol, hostAddress, hostPort } of record.mappings) {
		const key = formatPort({ port: containerPort, protocol });
		const binding: PortBinding = { HostIp: hostAddress, HostPort: hostPort === 0 ? "" : String(hostPort) };
		ports[key] = [...(ports[key] ?? []), binding];
	}
	return ports;
}

/** The `Ports` of a list entry, in a stable order. */
export function viewPortSummaries(record: ContainerRecord): PortSummary[] {
	return Object.entries(viewPortMap(record)).flatMap(([key, bindings]) => {
		const [port = "", Type = ""] = key.split("/");
		const PrivatePort = Number(port);
		if (bindings === null) return [{ PrivatePort, Type }];
		return bindings.map(({ HostIp = "", HostPort = "" }) => ({
			IP: HostIp,
			PrivatePort,
			PublicPort: Number(HostPort),
			Type,
		}));
	});
}
