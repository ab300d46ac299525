/** Legacy links between containers on the default bridge: host names and variables of another container. */
import type { ContainerRecord } from "../container/container-record.ts";
import { parsePort } from "../container/ports.ts";
import type { HostsEntry } from "./hosts-file.ts";

export interface Link {
	/** Name or ID of the other container. */
	readonly target: string;
	readonly alias: string;
}

/** `name`, `name:alias`, or as inspect shows it `/name:/owner/alias`. */
export function parseLink(text: string): Link {
	const colon = text.indexOf(":");
	const target = (colon < 0 ? text : text.slice(0, colon)).replace(/^\//, "");
	const alias = colon < 0 ? target : text.slice(text.lastIndexOf("/") > colon ? text.lastIndexOf("/") + 1 : colon + 1);
	return { target, alias };
}

/** The linked container answers to its alias, its host name and its name. */
export function linkHostsEntry(link: Link, other: ContainerRecord, address: string): HostsEntry {
	return {
		address,
		names: [...new Set([link.alias, other.config.Hostname ?? "", other.name])].filter((name) => name !== ""),
	};
}

/** `<ALIAS>_NAME`, `<ALIAS>_PORT…` and `<ALIAS>_ENV_…`. @param owner name of the container that has the link */
export function linkEnvironment(link: Link, other: ContainerRecord, address: string, owner: string): string[] {
	const prefix = link.alias.replaceAll("-", "_").toUpperCase();
	const ports = Object.keys(other.config.ExposedPorts ?? {})
		.map(parsePort)
		.sort(tcpFirst);
	const lines = [`${prefix}_NAME=/${owner}/${link.alias}`];
	const [first] = ports;
	if (first !== undefined) lines.push(`${prefix}_PORT=${first.protocol}://${address}:${first.port}`);
	for (const { port, protocol } of ports) {
		const name = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
		lines.push(
			`${name}=${protocol}://${address}:${port}`,
			`${name}_ADDR=${address}`,
			`${name}_PORT=${port}`,
			`${name}_PROTO=${protocol}`,
		);
	}
	for (const { protocol, start, end } of portRanges(ports)) {
		const name = `${prefix}_PORT_${start}_${protocol.toUpperCase()}`;
		lines.push(
			`${name}_START=${protocol}://${address}:${start}`,
			`${name}_PORT_START=${start}`,
			`${name}_END=${protocol}://${address}:${end}`,
			`${name}_PORT_END=${end}`,
		);
	}
	for (const entry of other.config.Env ?? []) {
		if (!entry.includes("=") || /^(HOME|PATH)=/.test(entry)) continue;
		lines.push(`${prefix}_ENV_${entry}`);
	}
	return lines;
}

type ExposedPort = ReturnType<typeof parsePort>;

function tcpFirst(a: ExposedPort, b: ExposedPort): number {
	const rank = (protocol: string) => (protocol === "tcp" ? "" : protocol);
	return rank(a.protocol).localeCompare(rank(b.protocol)) || a.port - b.port;
}

/** Runs of two and more consecutive ports. @param ports sorted */
function portRanges(ports: readonly ExposedPort[]): { protocol: string; start: number; end: number }[] {
	const ranges: { protocol: string; start: number; end: number }[] = [];
	for (const { port, protocol } of ports) {
		const last = ranges.at(-1);
		if (last !== undefined && last.protocol === protocol && last.end + 1 === port) last.end = port;
		else ranges.push({ protocol, start: port, end: port });
	}
	return ranges.filter(({ start, end }) => end > start);
}
